"""Guess a fraction of the average, from ten players to a million (arXiv 2407.17789)."""
