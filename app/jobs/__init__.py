"""Jobs on volumes: the API, the queue and the worker."""
