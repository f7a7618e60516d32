"""Training: the one loop, its state and optimizer, the material that students are taught, and devices."""
