"""Cooperate or collapse: five agents share a renewable resource (arXiv 2404.16698)."""
