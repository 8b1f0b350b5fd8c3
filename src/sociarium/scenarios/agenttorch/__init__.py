"""Millions of citizens in an epidemic, asked once per group of alike people (arXiv 2409.10568)."""
