"""Projects of plain Alembic, as `alembic init` and a team of another library leave them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.forks import Result, forks

INI = "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n"
MODELS = """\
import sqlalchemy as sa

metadata = sa.MetaData()
table = sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True))
sa.Index("orders_id", table.c.id)
"""
ASYNC_ENV = """\
import asyncio
import os

from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

from app.models import metadata


def run(connection):
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


async def main():
    engine = create_async_engine(os.environ["DATABASE_URL"].replace("sql:", "sql+asyncpg:"))
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(main())
"""
FIRST = """\
import sqlalchemy as sa
from alembic import op

revision, down_revision = "1a", None


def upgrade():
    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("orders")
"""
SECOND = """\
from alembic import op

revision, down_revision = "2b", "1a"


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY orders_id ON orders (id)")


def downgrade():
    op.drop_index("orders_id")
"""
FILES = {
    "alembic.ini": INI,
    "app/__init__.py": "",
    "app/models.py": MODELS,
    "migrations/env.py": ASYNC_ENV,
    "migrations/script.py.mako": "",
    "migrations/versions/1a_orders.py": FIRST,
    "migrations/versions/2b_index.py": SECOND,
}


def project(folder: Path, files: Mapping[str, str | None] = FILES) -> Path:
    """A folder with these files; None is no file."""
    for name, text in files.items():
        if text is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones and the caches of Python too."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def adopt(folder: Path, *arguments: str, url: str | None = None) -> Result:
    """`surefoot adopt` in a folder."""
    env = {"DATABASE_URL": url or "postgresql://nobody@localhost:1/nothing"}
    return forks().start("surefoot", "adopt", *arguments, env=env, cwd=folder).wait()
