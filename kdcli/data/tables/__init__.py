"""Tables of the user's: read as they are found, their columns recognised, and encoded as numbers."""
