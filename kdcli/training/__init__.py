"""Training: the one loop, its state and optimiser, what is taught, and where it is computed."""
