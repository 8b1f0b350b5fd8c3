"""The engine: population, environments, minds, schedule, and the loop that moves them."""
