"""The catalogue: files and the volumes that they are in."""
