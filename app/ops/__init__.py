"""What operators see of a running service: its migrations as a page, its figures for Prometheus."""
