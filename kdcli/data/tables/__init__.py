"""The user's own tables: reading them, recognising the kind of each column, and encoding it as numbers."""
