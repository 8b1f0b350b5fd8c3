"""An epidemic over contact networks: the disease, a plain reference step, fast kernels, and the environment."""
