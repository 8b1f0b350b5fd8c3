"""What a feed shows: terms, presets, and the batch search for the best."""
