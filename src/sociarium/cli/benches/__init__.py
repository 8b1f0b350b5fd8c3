"""Benchmarks, one module each with ``run() -> list of rows``."""
