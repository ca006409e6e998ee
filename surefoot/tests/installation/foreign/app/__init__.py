"""A shop: an application whose own package is called `app`."""
