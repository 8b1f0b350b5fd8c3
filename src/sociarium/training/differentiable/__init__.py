"""Random choices and comparisons that let gradients through. Needs the extra ``grad``."""
