"""Games with payoffs in closed form: who meets whom, what a pair earns, and how types spread."""
