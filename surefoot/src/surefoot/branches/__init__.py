"""Revisions on several branches of git, and a development database between them."""
