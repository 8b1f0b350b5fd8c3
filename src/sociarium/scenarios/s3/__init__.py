"""S³: information, emotion and attitude on a network of followers (arXiv 2307.14984)."""
