"""The commons game reproduced and extended: mixed groups of models, Japanese, and a commons that must be kept empty (arXiv 2505.09289)."""
