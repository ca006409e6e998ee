"""After: is the database what it should be."""
