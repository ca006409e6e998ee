"""API keys, which callers of the service need."""
