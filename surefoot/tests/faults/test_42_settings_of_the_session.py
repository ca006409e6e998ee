"""A revision changes settings of the session; those after it do not see that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text

from harness.databases import Database, engine
from harness.runs import Chain
from surefoot import Limits
from surefoot.errors import DataWouldBeLost
from surefoot.run.commands import upgrade
from surefoot.target import Target

CHANGES: Mapping[str, str] = {
    "a search path": "SET search_path = elsewhere",
    "a search path of the transaction": "SET LOCAL search_path = elsewhere",
    "a timeout": "SET statement_timeout = '1ms'",
    "a role": "SET ROLE nobody",
    "a user": "SET SESSION AUTHORIZATION nobody",
    "replication": "SET session_replication_role = replica",
    "row security": "SET row_security = off",
    "a default of transactions": "SET default_transaction_read_only = on",
    "a setting of a function": "SELECT set_config('check_function_bodies', 'off', false)",
    "a setting in a block": "DO $$ BEGIN SET work_mem = '65kB'; RESET lock_timeout; END $$",
    "a setting that the session had": "SET application_name = 'other'",
    "everything": "RESET ALL",
    "a setting of one's own": "SET own.setting = 'x'",
}
SETTINGS = """
SELECT {}, name, setting FROM (SELECT name, setting FROM pg_settings
    WHERE name !~ '^(transaction|own)' UNION ALL VALUES ('role', current_setting('role')),
    ('user', session_user::text), ('own', coalesce(current_setting('own.setting', true), ''))) AS s
"""


MADE = (
    "CREATE SCHEMA elsewhere",
    "CREATE TABLE t (id integer)",
    "INSERT INTO t VALUES (1)",
    "CREATE TABLE seen (number integer, name text, setting text)",
    "DO $$ BEGIN CREATE ROLE nobody; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
)


@pytest.fixture
async def target(empty_database: Database, chain: Chain) -> AsyncIterator[Target]:
    """A database with tables, whose sessions have a setting of their own."""

    def connects(connection: Any, _: object) -> None:
        connection.cursor().execute("SET application_name = 'of the caller'")
        connection.commit()

    chain.add("\n".join(f'op.execute("{sql}")' for sql in MADE))
    async with engine(empty_database.access, "migrate") as made:
        event.listen(made.sync_engine, "connect", connects)
        yield Target.of(made, chain.ini)


def seen(number: int) -> str:
    """A revision's body that keeps the settings that it finds."""
    return f'op.execute(r"""INSERT INTO public.seen {SETTINGS.format(number)}""")'


@pytest.mark.sample(4)
@pytest.mark.parametrize("change", CHANGES)
async def test_a_revision_leaves_the_session_as_it_was(
    target: Target, chain: Chain, change: str
) -> None:
    """The run writes its rows as ever, and the next revision finds what this one has found."""
    chain.add(f'{seen(1)}\nop.execute("{CHANGES[change]}")')
    chain.add(seen(2))
    report = await upgrade(target)
    assert [step.revision for step in report.steps] == chain.ids
    async with target.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT DISTINCT name, setting FROM seen"))).all()
        count = await connection.scalar(text("SELECT count(*) FROM seen"))
    assert len(rows) * 2 == count
    assert ("application_name", "of the caller") in set(map(tuple, rows))


@pytest.mark.slow
async def test_rows_that_were_not_counted_are_still_known_to_be_so(
    target: Target, chain: Chain
) -> None:
    """The guard of data looks after the settings are restored."""
    chain.add("op.execute('SET LOCAL track_counts = off')\nop.execute('DELETE FROM t')")
    await upgrade(target, "0001")
    with pytest.raises(DataWouldBeLost, match="track_counts is off"):
        await upgrade(replace(target, limits=Limits(production=True, lint="off")))


@pytest.mark.slow
async def test_a_session_of_another_isolation_level_is_restored(
    target: Target, chain: Chain
) -> None:
    """Settings of one transaction are none of the session."""
    options = {"isolation_level": "SERIALIZABLE", "postgresql_deferrable": True}
    made = target.engine.execution_options(**options)
    chain.add("op.execute('SET search_path = elsewhere')")
    report = await upgrade(replace(target, engine=made))
    assert [step.revision for step in report.steps] == chain.ids
