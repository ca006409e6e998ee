"""Before: seeing a revision, and writing it safely."""
