"""Is a model a fit *sampler* of people? Not whether it solves anything: whether its answers move with who answers, and stay put otherwise."""
