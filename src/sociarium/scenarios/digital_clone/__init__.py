"""Cloned networks: how misinformation spreads where sharing depends on words (Puri and others 2024)."""
