"""A person's terminal: whether there is one, how wide a text is on it, and lines drawn again."""
