"""History writes a project of a given manner: an ini file, revisions and Alembic's own env.py.

The same seed gives the same files. Where it is not plain, statements are as psycopg takes them.
"""

import hashlib
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from histories.changes import USUAL, Change, MakesChange, Schema, body, new_table

PLAIN_ENV = '''\
"""Written by hand years ago."""

import asyncio
import os

from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

from app.models import metadata, include_object


def run_migrations(connection):
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        include_object=include_object,
        compare_type=True,
        **«options»,
    )
    with context.begin_transaction():
        context.run_migrations()


async def main():
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run_migrations)
    await engine.dispose()


asyncio.run(main())
'''
# As a project that uses psycopg has it. It is only read: migrations run on asyncpg.
SYNC_ENV = """\
import os

from alembic import context
from sqlalchemy import create_engine

from app.models import include_object, metadata


def run_migrations_online():
    url = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+«driver»:")
    with create_engine(url).connect() as connection:
        context.configure(
            connection=connection, target_metadata=metadata, include_object=include_object
        )
        with context.begin_transaction():
            context.run_migrations()


run_migrations_online()
"""
MODELS = """\
from sqlalchemy import Column, Integer, MetaData, Table

metadata = MetaData()
Table("settled", metadata, Column("id", Integer, primary_key=True))


def include_object(thing, name, kind, reflected, compare_to):
    return not (kind == "table" and name.startswith("spatial_"))


def default_rows(count):
    return [{"id": number, "label": f"default {number}"} for number in range(1, count + 1)]
"""
REVISION = '''\
"""«title»"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
«imports»
# revision identifiers, used by Alembic.
revision = «revision»
down_revision = «down»
branch_labels = «labels»
depends_on = «depends»


def upgrade():
«upgrade»


def downgrade():
«downgrade»
'''

MAKO = '''\
"""${message}"""

from alembic import op
import sqlalchemy as sa

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''


@dataclass(frozen=True)
class Manner:
    """How a team wrote its revisions."""

    name: str
    length: int
    changes: Sequence[MakesChange] = USUAL
    ids: Literal["hex", "digits", "numbers", "joined"] = "hex"
    files: Literal["{id}_{slug}", "{date}_{id}", "{slug}_"] = "{id}_{slug}"
    # One folder, one for each year, or two version_locations.
    folders: Literal["one", "years", "two"] = "one"
    # One chain; branches that are merged; two labelled bases that nothing merges.
    shape: Literal["chain", "merges", "bases"] = "chain"
    version_table: str | None = None
    schema: str | None = None
    # The driver in the URL of the application.
    driver: str | None = None

    @property
    def head(self) -> str:
        """The argument of `alembic upgrade` that leads to the end."""
        return "heads" if self.shape == "bases" else "head"

    @property
    def options(self) -> dict[str, str]:
        """The options that name the version table."""
        named = {"version_table": self.version_table, "version_table_schema": self.schema}
        return {name: value for name, value in named.items() if value}


class History:
    """The files of a project in a folder."""

    def __init__(self, manner: Manner, folder: Path, *, plain: bool, seed: int = 12) -> None:
        self.manner, self.folder, self._plain = manner, folder, plain
        self._random = Random(f"{seed} {manner.name}")
        # Bases have tables of their own: nothing says which of them is run first.
        self._schemas = [
            Schema(self._random, inside=manner.schema, number=1000 * number)
            for number in range(2 if manner.shape == "bases" else 1)
        ]
        self.ids: list[str] = []
        # The kinds of change that it does not have yet.
        self._left = [*manner.changes]
        self.scripts = folder / "migrations"
        self._write_project()
        for number in range(manner.length):
            self._write_next(number)

    @property
    def before(self) -> str:
        """The revision three before the newest; the chain ends in a line of four."""
        return self.ids[-4]

    def add(self) -> str:
        """Write a new revision on the newest; its id."""
        made = new_table(self._schemas[(len(self.ids) - 1) % len(self._schemas)])
        down, identifier = self.ids[-1], self._identifier()
        self._write(identifier, made, down=repr(down), number=len(self.ids))
        return identifier

    # -- the project -------------------------------------------------------------------------------

    def _write_project(self) -> None:
        manner = self.manner
        lines = [
            "[alembic]",
            "script_location = %(here)s/migrations",
            "prepend_sys_path = .",
            "path_separator = os",
        ]
        if manner.folders == "years":
            lines.append("recursive_version_locations = true")
        if manner.folders == "two":
            lines.append(
                "version_locations = %(here)s/migrations/versions:%(here)s/migrations/billing"
            )
        self.scripts.mkdir(parents=True)
        (self.folder / "alembic.ini").write_text("\n".join(lines) + "\n", "utf-8")
        (self.folder / "app").mkdir()
        (self.folder / "app" / "__init__.py").touch()
        (self.folder / "app" / "models.py").write_text(MODELS, "utf-8")
        env = body(PLAIN_ENV, options=repr(manner.options))
        if manner.driver and not self._plain:
            env = body(SYNC_ENV, driver=manner.driver)
        (self.scripts / "env.py").write_text(env + "\n", "utf-8")
        (self.scripts / "script.py.mako").write_text(MAKO, "utf-8")

    # -- the revisions -----------------------------------------------------------------------------

    def _write_next(self, number: int) -> None:
        manner, identifier = self.manner, self._identifier()
        labels, depends = "None", "None"
        last = manner.length - 5
        down: str | None = self.ids[-1] if self.ids else None
        made: Change | None = None
        if manner.shape == "bases" and number == 1:
            down, labels = None, "('billing',)"
        elif manner.shape == "bases" and number > 1:
            # The two lines take turns; one depends on the other now and then.
            down = self.ids[-2] if number <= last else self.ids[-1]
            depends = repr(self.ids[-1]) if number % 6 == 0 and number <= last else "None"
        if number == 0 and manner.shape == "bases":
            labels = "('core',)"
        written = repr(down)
        if manner.shape == "merges" and 3 <= number <= last:
            if number % 5 == 1:
                written = repr(self.ids[-2])  # beside the newest
            if number % 5 == 2:
                written, made = repr((self.ids[-2], self.ids[-1])), Change("pass")
        if made is None:
            made = self._change(number)
        self._write(identifier, made, down=written, number=number, labels=labels, depends=depends)

    def _change(self, number: int) -> Change:
        line = min(number, self.manner.length - 5) % len(self._schemas)
        schema, kinds = self._schemas[line], self.manner.changes
        if self.manner.shape == "merges" and number % 5 in (0, 1):
            # Two that stand beside each other.
            beside = list(schema.tables)[-1:] if number % 5 == 1 else []
            hidden = {name: schema.tables.pop(name) for name in beside}
            made = new_table(schema)
            schema.tables.update(hidden)
            return made
        if len(schema.tables) < 2:
            made = new_table(schema)
            if number == 0 and schema.inside:
                first = f"op.execute('CREATE SCHEMA IF NOT EXISTS {schema.inside}')"
                return Change(f"{first}\n{made.upgrade}", made.downgrade)
            return made
        # Each kind once, where the history is long enough; then by chance.
        chosen = self._left.pop(0) if self._left else self._random.choice(kinds)
        return chosen(schema)

    def _identifier(self) -> str:
        number = len(self.ids) + 1
        digest = hashlib.sha256(f"{self.manner.name} {number}".encode()).hexdigest()
        if self.manner.ids == "digits":
            return f"{int(digest, 16) % 10**12:012}"
        return f"{number:04}" if self.manner.ids == "numbers" else digest[:12]

    def _write(
        self,
        identifier: str,
        change: Change,
        *,
        down: str,
        number: int,
        labels: str = "None",
        depends: str = "None",
    ) -> None:
        told = repr(identifier)
        if self.manner.ids == "joined":
            told = f'"".join([{identifier[:5]!r}, {identifier[5:]!r}])'
        upgrade = change.plain if self._plain and change.plain is not None else change.upgrade
        text = body(
            REVISION,
            title=f"Change number {number}.",
            imports=change.imports,
            revision=told,
            down=down,
            labels=labels,
            depends=depends,
            upgrade=textwrap.indent(upgrade, "    "),
            downgrade=textwrap.indent(change.downgrade, "    "),
        )
        path = self._path(identifier, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", "utf-8")
        self.ids.append(identifier)

    def _path(self, identifier: str, number: int) -> Path:
        slug, year = f"change_{number}", 2019 + number * 6 // self.manner.length
        date = f"{year}_{number % 12 + 1:02}_07_1130"
        names = {"id": identifier, "slug": slug, "date": date}
        name = self.manner.files.format(**names) + ".py"
        versions = self.scripts / "versions"
        if self.manner.folders == "years":
            (versions / str(year)).mkdir(parents=True, exist_ok=True)
            (versions / str(year) / "__init__.py").touch()
            return versions / str(year) / name
        if self.manner.folders == "two" and number % 3 == 1:
            return self.scripts / "billing" / name
        return versions / name
