"""The iterated donor game over generations of players who hand on their strategies (arXiv 2412.10270)."""
