"""Alembic on PostgreSQL that cannot hurt a database in use."""

__version__ = "0.1.0"
