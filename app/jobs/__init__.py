"""Jobs: asking for work on a volume, and the worker that does it."""
