"""Places by their coordinates, trips that take time, and a choice of where to go that falls with distance."""
