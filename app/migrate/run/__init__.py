"""Doing it: the body of alembic/env.py."""
