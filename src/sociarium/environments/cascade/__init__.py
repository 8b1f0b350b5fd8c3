"""Cascades in layers: a post spreads over a network, and those whom it reaches decide whether to pass it on."""
