"""Minds that decide whether to pass a post on, by a classifier fitted to a log of who was shown what by whom, and passed it on or not."""
