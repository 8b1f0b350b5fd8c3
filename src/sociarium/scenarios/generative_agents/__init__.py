"""Twenty-five people in a tile town, with memory, plans and talk (arXiv 2304.03442)."""
