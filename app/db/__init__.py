"""The database: its URL, its engines, its models, and one of our own where there is none."""
