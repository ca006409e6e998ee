"""The page and the metrics of `surefoot.web` in this service: who may see them, and OpenAPI."""
