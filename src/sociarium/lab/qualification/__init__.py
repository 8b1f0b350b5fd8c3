"""Is a model a fit *sampler* of people? Not whether it solves anything: whether answers move with who answers, and with nothing else."""
