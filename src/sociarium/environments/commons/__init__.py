"""A shared resource that grows by itself and is harvested by several agents: laws of growth, rationing, and what is measured."""
