"""Groups of agents that talk: who speaks next, when a talk ends, what is kept of it."""
