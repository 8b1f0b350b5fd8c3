"""A third party's scenario, found by its entry point."""
