"""Many processes: actors with placeholders, and minds that decide in shards."""
