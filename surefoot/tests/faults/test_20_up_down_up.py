"""Every operation goes up, down and up again, by the commands that people type.

The project's own revisions do so in tests/migrations/test_chain.py.
"""

import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from harness.states import State, state_of

STEPS = {
    "table": (
        "op.create_table('n', sa.Column('id', sa.Integer, primary_key=True))",
        "op.drop_table('n')",
    ),
    "column": (
        "op.add_column('t', sa.Column('n', sa.Integer, server_default='7', nullable=False))",
        "op.drop_column('t', 'n')",
    ),
    "enum": (
        "op.execute(\"CREATE TYPE mood AS ENUM ('good', 'bad')\")",
        "op.execute('DROP TYPE mood')",
    ),
    "enum value": (
        "op.add_enum_value('mood', 'so so', before='bad')",
        "op.replace_enum('mood', ['good', 'bad'])",
    ),
    "columns in step": (
        "op.keep_in_step('t', 'id', 'n')",
        "op.stop_keeping_in_step('t', 'id', 'n')",
    ),
    "columns no longer in step": (
        "op.stop_keeping_in_step('t', 'id', 'n')",
        "op.keep_in_step('t', 'id', 'n')",
    ),
    "index": (
        "op.create_index_concurrently('t_id', 't', ['id'], unique=True)",
        "op.drop_index_concurrently('t_id')",
    ),
    "check": (
        "op.execute('ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID')",
        "op.drop_constraint('c', 't')",
    ),
    "validation": (
        "op.execute('ALTER TABLE t VALIDATE CONSTRAINT c')",
        "op.execute('ALTER TABLE t DROP CONSTRAINT c')\n"
        "op.execute('ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID')",
    ),
    "reindex": ("op.reindex_concurrently('t_id')", "op.reindex_concurrently('t_id')"),
    "partition": (
        "op.execute('CREATE TABLE p (id int) PARTITION BY LIST (id)')\n"
        "op.execute('CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)')",
        "op.execute('DROP TABLE p')",
    ),
    "detachment": (
        "op.detach_partition_concurrently('p', 'p_1')",
        "op.execute('ALTER TABLE p ATTACH PARTITION p_1 FOR VALUES IN (1)')",
    ),
}


@pytest.mark.slow
async def test_the_catalogs_are_equal(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """After each step down the catalog and the rows are what they were, and up again too."""
    chain.add("op.execute('CREATE TABLE t AS SELECT 1 AS id')", "op.execute('DROP TABLE t')")
    for step in STEPS.values():
        chain.add(*step)

    async def after(*arguments: str) -> State:
        result = await launcher.alembic(chain, *arguments, url=empty_database.url)
        assert result.code == 0, result.err
        return await state_of(empty_database)

    before = await state_of(empty_database)
    for identifier in chain.ids:
        up = await after("upgrade", identifier)
        down = await after("downgrade", "-1")
        assert down.differs(before) == "", f"down {identifier}"
        again = await after("upgrade", "+1")
        assert again.differs(up) == "", f"up again {identifier}"
        before = again
    base = await after("downgrade", "base")
    assert not base.catalog.objects
