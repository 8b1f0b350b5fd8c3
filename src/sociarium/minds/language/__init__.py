"""Minds that think in words: personas, memory and what comes to mind."""
