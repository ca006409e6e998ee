"""How a project of Alembic moves in: its env.py and its past, read; the files that it needs."""
