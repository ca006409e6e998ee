"""Rules on tables, partitions, views and types: renaming, dropping, attaching, rewriting."""

import re
from collections.abc import Collection, Iterator

from surefoot.operations.enums import BLOCK_TAG
from surefoot.operations.lock_class import without_comments
from surefoot.rules.difference import renamed_by
from surefoot.rules.findings import Hit, Rule, TracedRevision, locks_out, on, stopped_by
from surefoot.trace.effects import Effect
from surefoot.trace.lock_modes import EXCLUSIVE, blocked, blocks_writers
from surefoot.trace.statement import Statement

# The kinds of pg_class that a release uses by name: all but indexes.
NAMED = "rpvmfSc"
# Other reasons for a rewrite; each has its own rule.
REWRITING = ("column_retyped", "column_added", "column_recomputed", "persistence_changed")
# At the beginning, or in a block.
_LOCKS = re.compile(r"(?:^|[;'$]|\bBEGIN)\s*LOCK\s+(?=\w)", re.IGNORECASE)
TABLES = {"r": "table", "p": "table", "v": "view", "m": "materialized view"}


def _renamed(unit: TracedRevision) -> Iterator[Hit]:
    # A type may replace one that this contract revision drops.
    dropped = unit.effects("type_dropped") if unit.phase == "contract" else ()
    replaced = {effect.relation for _, effect in dropped}
    for number, statement in enumerate(unit.statements):
        renames = [
            (effect.name, effect.facts["to"], effect.facts["columns"])
            for effect in statement.of("renamed", "constraint_renamed")
            if (
                _is_key(unit, effect) if effect.kind != "renamed" else effect.facts["kind"] in NAMED
            )
        ]
        renames += [
            (effect.relation, effect.facts["to"], ())
            for effect in statement.of("schema_renamed", "type_renamed", "routine_renamed")
            if effect.kind != "type_renamed" or effect.facts["to"] not in replaced
        ]
        renames += [(what, to, ()) for what, to in renamed_by(statement)]
        for what, to, columns in renames:
            if not any(_gives(later, what, columns) for later in unit.statements[number:]):
                yield Hit.at(statement, what=what, to=to, end="one of them fails")
            elif any(_copies(former, what) for former in unit.statements[:number]):
                end = f"rows that are written to {what} after the copy are in {to} alone"
                yield Hit.at(statement, what=what, to=to, end=end)
        for effect in statement.of("dropped"):
            what, copied = effect.relation, unit.statements[:number]
            new = [
                each.name
                for later in unit.statements[number:]
                for each in later.of("renamed", fresh=True)
                if each.facts["to"] == what
            ]
            if new and any(_copies(former, what) for former in copied):
                end = f"rows that are written to {what} after the copy are lost"
                yield Hit.at(statement, what=what, to=f"{new[0]} in its place", end=end)


def _is_key(unit: TracedRevision, constraint: Effect) -> bool:
    """Whether INSERT … ON CONFLICT ON CONSTRAINT of the running release may name it."""
    return constraint.facts["kind"] in "pux" and unit.phase != "contract"


def _copies(statement: Statement, table: str) -> bool:
    """Whether it fills a new table from this one, while others may write there."""
    locked = blocks_writers(statement.held.get(table, "ACCESS SHARE"))
    return bool(statement.made_rows) and table in statement.scans and not locked


def _gives(statement: Statement, name: str, columns: Collection[str]) -> bool:
    """Whether it creates something of that name and with the columns, or renames something to it.

    A table that it creates has none of the rows, unless partitions are attached to it.
    """
    created = statement.of("created", "type_created", fresh=True)
    renamed = statement.of("renamed", "type_renamed", "routine_renamed", fresh=True)
    return any(e.facts["to"] == name for e in renamed) or any(
        e.relation == name
        and e.facts.get("kind") != "r"
        and set(columns) <= set(e.facts.get("columns", columns))
        for e in created
    )


def _dropped(unit: TracedRevision) -> Iterator[Hit]:
    for statement, effect in unit.effects("dropped"):
        kind = effect.facts["kind"]
        # A partition goes with its parent.
        parts = set(statement.parents) if unit.phase == "contract" else set()
        if unit.drops(statement, effect.relation) or effect.relation in parts:
            continue
        if kind in TABLES and not (kind in "vm" and _is_made_again(unit, effect)):
            noun, name = TABLES[kind], effect.relation
            yield Hit.of(statement, effect, kind=noun, TABLE=noun.upper(), name=name)


def _is_made_again(unit: TracedRevision, dropped: Effect) -> bool:
    """Whether the revision creates a view of that name, with all columns that it had."""
    return any(
        effect.relation == dropped.relation and effect.facts["columns"] >= dropped.facts["columns"]
        for _, effect in unit.effects("created", fresh=True)
    )


def _detached(unit: TracedRevision) -> Iterator[Hit]:
    for statement, effect in unit.effects("detached"):
        if locks_out(statement, effect):
            yield Hit.of(statement, effect, done="detaching")
    for statement, effect in unit.effects("dropped"):
        parent = effect.facts["parent"]
        if parent and statement.locks.get(parent) == EXCLUSIVE:
            yield Hit.at(statement, done="dropping", table=parent, name=effect.relation)


def _locks_referenced(unit: TracedRevision) -> Iterator[Hit]:
    """A table dropped with its foreign keys, or by CASCADE with those that reference it."""
    for statement, effect in unit.effects("constraint_dropped"):
        facts = effect.facts
        pair = (effect.relation, facts["references"])
        if facts["with_referenced"]:
            pair = pair[::-1]
        dropped = facts["kind"] == "f" and facts["with_table"] != facts["with_referenced"]
        if dropped and statement.locks.get(pair[1]) == EXCLUSIVE:
            yield Hit.at(statement, table=pair[0], other=pair[1], name=effect.name)


def _attached(unit: TracedRevision) -> Iterator[Hit]:
    for statement, effect in unit.effects("attached"):
        # The new partition, or the default partition, which may hold rows of the new one.
        for read in sorted(statement.scans):
            whole = frozenset({read})
            if any(statement.within(each, whole) for each in (effect.relation, effect.name)):
                yield Hit.of(statement, effect, read=read)


def _vacuum(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        if any(statement.of(*REWRITING)):
            continue
        tables = {e.relation for e in statement.of("rewritten") if e.facts["kind"] == "r"}
        for table in sorted(tables - statement.emptied):
            yield Hit.at(statement, table=table)


def _locks_a_table(unit: TracedRevision) -> Iterator[Hit]:
    """LOCK TABLE: in a mode that somebody waits for; that of op.replace_enum is of its ALTER."""
    for statement in unit.statements:
        sql = without_comments(statement.sql)
        if _LOCKS.search(sql) and BLOCK_TAG not in sql:
            for table, mode in sorted(statement.shown_locks.items()):
                if blocks_writers(mode):
                    yield Hit.at(statement, table=table, mode=mode, blocks=blocked(mode))


def _refreshed(statement: Statement, effect: Effect) -> bool:
    return effect.facts["kind"] == "m" and locks_out(statement, effect)


RULES = (
    Rule(
        id="avoid-locking-a-table",
        title="A table locked by LOCK TABLE",
        consequence="LOCK TABLE holds {mode} on {table} until the revision commits, which {blocks}",
        help="leave the lock to the statement that needs it",
        rewrite="# without LOCK TABLE",
        page="sql-lock",
        detect=_locks_a_table,
        level="warning",
    ),
    Rule(
        id="avoid-renaming",
        title="A table, view, type, function or schema renamed",
        consequence="the running release uses {what}, the next one {to}; {end}",
        help="create {to} as a view of {what}, or the reverse, until no release uses the old name",
        rewrite="# for a table, without the rename\n"
        'op.execute("CREATE VIEW {to:sql} AS SELECT * FROM {what:sql}")',
        page="sql-createview",
        detect=_renamed,
    ),
    Rule(
        id="avoid-dropping-a-table",
        title="A table or view dropped while the running release may use it",
        consequence="the running release fails wherever it uses the {kind} {name}",
        help="deploy a release that does not use it, then drop it in a contract revision",
        rewrite='phase = "contract"\n'
        "\n"
        "\n"
        "def upgrade() -> None:\n"
        '    op.execute("DROP {TABLE} {name:sql}")',
        page="sql-droptable",
        detect=_dropped,
    ),
    Rule(
        id="avoid-dropping-a-referring-table",
        title="A table dropped together with its foreign keys",
        consequence="dropping {table} also takes ACCESS EXCLUSIVE on {other}; reads and writes of "
        "{other} block",
        help="drop its foreign keys one by one in separate revisions, then the table",
        rewrite='op.drop_constraint("{name}", "{table}"{schema})\n'
        "# the next revision\n"
        'op.drop_table("{table}"{schema})',
        page="sql-droptable",
        detect=_locks_referenced,
    ),
    Rule(
        id="avoid-creating-a-partition-in-place",
        title="A partition created in its parent",
        consequence="creating {name} takes ACCESS EXCLUSIVE on {table}; reads and writes block",
        help="create a table with a check on the bounds of the partition, then ATTACH it",
        rewrite='op.execute("CREATE TABLE {name:sql} (LIKE {table:sql} INCLUDING ALL)")\n'
        "# add a check on its bounds; in the next revision:\n"
        'op.execute("ALTER TABLE {table:sql} ATTACH PARTITION {name:sql} FOR VALUES …")',
        page="ddl-partitioning",
        detect=on("partition_created", where=locks_out),
    ),
    Rule(
        id="require-check-before-attach",
        title="A partition attached without a check on its bounds",
        consequence="{read} is scanned under ACCESS EXCLUSIVE to find rows outside its bounds; its "
        "reads and writes block",
        help="add a check on its bounds to {read} NOT VALID, validate it, then attach {name}",
        rewrite='op.execute("ALTER TABLE {read:sql} ADD CONSTRAINT bounds CHECK (…) NOT VALID")\n'
        "# the next revision\n"
        'op.execute("ALTER TABLE {read:sql} VALIDATE CONSTRAINT bounds")\n'
        "# the one after it\n"
        'op.execute("ALTER TABLE {table:sql} ATTACH PARTITION {name:sql} FOR VALUES …")',
        grows=True,
        page="ddl-partitioning",
        detect=_attached,
    ),
    Rule(
        id="require-concurrent-detach",
        title="A partition detached without CONCURRENTLY, or dropped from its parent",
        consequence="{done} {name} takes ACCESS EXCLUSIVE on {table} and {name}; reads and "
        "writes block",
        help="op.detach_partition_concurrently in a contract revision of its own, then drop it",
        rewrite='op.detach_partition_concurrently("{table}", "{name}")',
        page="ddl-partitioning",
        detect=_detached,
        since=14,
    ),
    Rule(
        id="avoid-vacuum-full",
        title="A table rewritten by VACUUM FULL or CLUSTER",
        consequence="{table} is rewritten under ACCESS EXCLUSIVE; reads and writes block",
        help="to shrink or sort it use pg_repack or, in PostgreSQL 19 or later, REPACK "
        "CONCURRENTLY, outside of revisions",
        rewrite="# not in a revision",
        grows=True,
        page="sql-vacuum",
        detect=_vacuum,
    ),
    Rule(
        id="avoid-changing-persistence",
        title="A table made logged or unlogged",
        consequence="{table} is rewritten under ACCESS EXCLUSIVE; reads and writes block",
        help="create a new table, copy the rows in batches and swap the two",
        rewrite='op.execute("CREATE TABLE {table}_new (LIKE {table:sql} INCLUDING ALL)")\n'
        "# or CREATE UNLOGGED TABLE; copy the rows in batches, then swap the two",
        grows=True,
        page="sql-altertable",
        detect=on("persistence_changed", where=lambda s, e: e.relation in s.rewrites),
    ),
    Rule(
        id="require-concurrent-refresh",
        title="A materialized view refreshed without CONCURRENTLY",
        consequence="reads of {view} block until it is computed",
        help="REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view",
        rewrite='op.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY {view:sql}")',
        grows=True,
        page="sql-refreshmaterializedview",
        detect=on("rewritten", where=_refreshed),
    ),
    Rule(
        id="require-committed-enum-value",
        title="An enum value used in the transaction that adds it",
        consequence="PostgreSQL refuses to use a value before it is committed",
        help="op.add_enum_value in a separate, earlier revision",
        rewrite='# an earlier revision\nop.add_enum_value("type", "value")',
        page="sql-altertype",
        detect=stopped_by("55P04"),
    ),
    Rule(
        id="avoid-renaming-an-enum-value",
        title="An enum value renamed",
        consequence="the running release uses {value} of {type}, the next one {to}; one of them "
        "fails",
        help="add {to}, deploy a release that writes it, update the rows in batches, then drop "
        "{value}",
        rewrite='op.add_enum_value("{type}", "{to}")',
        page="sql-altertype",
        detect=on("value_renamed"),
    ),
)
