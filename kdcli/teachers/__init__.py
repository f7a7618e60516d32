"""Teachers: those that are trained here, and those that exist elsewhere."""
