"""Private interfaces of Alembic, SQLAlchemy and asyncpg, one module for each library.

Each module lists what it uses, why, and the versions that it was checked with. A contract test in
tests/unit/test_compat_*.py fails where a new version changes one of them.
"""
