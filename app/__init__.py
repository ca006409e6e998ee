"""VēgaFS."""
