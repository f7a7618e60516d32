"""Training: the one loop, its state and optimizer, what students are taught, and on which device."""
