"""Columns: what adding, changing and dropping one does to a table that is in use."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.rules.findings import Hit, Rule, TracedRevision
from surefoot.trace.effects import Effect
from surefoot.trace.statement import Statement


def _added(unit: TracedRevision) -> Iterator[tuple[Statement, Effect]]:
    for statement in unit.statements:
        for effect in statement.of("column_added"):
            yield statement, effect


def _rewriting(unit: TracedRevision, kind: str) -> Iterator[Hit]:
    for statement, effect in _added(unit):
        rewritten = statement.within(effect.relation, statement.rewrites)
        if rewritten and _kind(effect) == kind:
            yield Hit.at(statement, table=effect.relation, column=effect.name)


def _generated(unit: TracedRevision) -> Iterator[Hit]:
    yield from _rewriting(unit, "generated")
    for statement in unit.statements:
        for effect in statement.of("column_recomputed"):
            yield Hit.at(statement, table=effect.relation, column=effect.name)


def _kind(effect: Effect) -> str:
    default = effect.facts["default"] or ""
    if effect.facts["identity"]:
        return "identity"
    if effect.facts["generated"]:
        return "generated"
    return "serial" if default.startswith("nextval(") else "default"


def _required(unit: TracedRevision) -> Iterator[Hit]:
    for statement, effect in _added(unit):
        facts = effect.facts
        filled = facts["default"] or facts["identity"] or facts["generated"]
        if facts["required"] and not filled:
            yield Hit.at(statement, table=effect.relation, column=effect.name)


def _not_null(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        if statement.rewrites or any(_keys(statement)):
            continue
        for effect in statement.of("column_required"):
            if statement.within(effect.relation, statement.scans):
                yield Hit.at(statement, table=effect.relation, column=effect.name)


def _keys(statement: Statement) -> Iterator[Effect]:
    return (e for e in statement.of("constraint_added") if e.facts["kind"] == "p")


def _retyped(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        for effect in statement.of("column_retyped"):
            if statement.within(effect.relation, statement.rewrites):
                facts = effect.facts
                yield Hit.at(
                    statement,
                    table=effect.relation,
                    column=effect.name,
                    former=facts["from"],
                    type=facts["to"],
                )


def _retyped_under_check(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        indexed = frozenset(statement.tables[index] for index in statement.rebuilds)
        for effect in statement.of("column_retyped"):
            table = effect.relation
            if not statement.within(table, statement.rewrites) and (
                statement.within(table, statement.scans) or statement.within(table, indexed)
            ):
                yield Hit.at(statement, table=table, column=effect.name)


def _dropped(unit: TracedRevision) -> Iterator[Hit]:
    if unit.phase == "contract":
        return
    own: set[tuple[str, str]] = set()
    for statement in unit.statements:
        own |= {(e.relation, e.name) for e in statement.of("column_added")}
        for effect in statement.of("column_dropped"):
            if (effect.relation, effect.name) not in own:
                yield Hit.at(statement, table=effect.relation, column=effect.name)


def _renamed(unit: TracedRevision) -> Iterator[Hit]:
    # A column that takes the place of one that this contract revision drops keeps a name that
    # every release knows.
    replaced = {
        (effect.relation, effect.name)
        for statement in unit.statements
        for effect in statement.of("column_dropped")
        if unit.phase == "contract"
    }
    for statement in unit.statements:
        for effect in statement.of("column_renamed"):
            to = effect.facts["to"]
            if (effect.relation, to) not in replaced:
                yield Hit.at(statement, table=effect.relation, column=effect.name, to=to)


def _typed(unit: TracedRevision, *types: str) -> Iterator[Hit]:
    for statement in unit.statements:
        for effect in statement.of("column_added", fresh=True):
            base = effect.facts["type"].partition("(")[0]
            if base in types:
                yield Hit.at(
                    statement,
                    table=effect.relation,
                    column=effect.name,
                    type=effect.facts["type"],
                )


def _small_keys(unit: TracedRevision) -> Iterator[Hit]:
    added: dict[tuple[str, str], str] = {}
    for statement in unit.statements:
        for effect in statement.of("column_added", fresh=True):
            added[effect.relation, effect.name] = effect.facts["type"]
        for effect in statement.of("constraint_added", fresh=True):
            if effect.facts["kind"] != "p" or len(effect.facts["columns"]) != 1:
                continue
            (column,) = effect.facts["columns"]
            type_ = added.get((effect.relation, column))
            if type_ in ("integer", "smallint"):
                yield Hit.at(statement, table=effect.relation, column=column, type=type_)


RULES = (
    Rule(
        id="avoid-required-column-without-default",
        title="A NOT NULL column without a default",
        consequence="{table} has rows, so adding {column} fails; where it does not, INSERTs of "
        "the release that runs do",
        help="add it with a server default, or nullable, fill it, and require it later",
        rewrite='op.add_column("jobs", sa.Column("rank", sa.Integer(), nullable=False, '
        'server_default="0"))',
        detect=_required,
    ),
    Rule(
        id="avoid-volatile-default",
        title="A column with a default that differs by row",
        consequence="{table} is written anew to give {column} to every row, and everybody waits",
        help="add the column without a default, set the default, then fill the rows in batches",
        rewrite='op.add_column("jobs", sa.Column("token", sa.Uuid()))\n'
        'op.alter_column("jobs", "token", server_default=sa.text("gen_random_uuid()"))',
        detect=lambda unit: _rewriting(unit, "default"),
    ),
    Rule(
        id="avoid-serial-column",
        title="A serial column on a table that has rows",
        consequence="{table} is written anew to number every row in {column}, and everybody waits",
        help="add a bigint column and a sequence, set the default, then number the rows in batches",
        rewrite='op.add_column("jobs", sa.Column("number", sa.BigInteger()))\n'
        'op.execute("CREATE SEQUENCE jobs_number_seq OWNED BY jobs.number")\n'
        'op.alter_column("jobs", "number", server_default=sa.text("nextval(\'jobs_number_seq\')"))',
        detect=lambda unit: _rewriting(unit, "serial"),
    ),
    Rule(
        id="avoid-identity-column",
        title="An identity column on a table that has rows",
        consequence="{table} is written anew to number every row in {column}, and everybody waits",
        help="add a bigint column and a sequence, set the default, then number the rows in batches",
        rewrite='op.add_column("jobs", sa.Column("number", sa.BigInteger()))\n'
        'op.execute("CREATE SEQUENCE jobs_number_seq OWNED BY jobs.number")\n'
        'op.alter_column("jobs", "number", server_default=sa.text("nextval(\'jobs_number_seq\')"))',
        detect=lambda unit: _rewriting(unit, "identity"),
    ),
    Rule(
        id="avoid-stored-generated-column",
        title="A stored generated column on a table that has rows",
        consequence="{table} is written anew to compute {column} for every row, and everybody "
        "waits",
        help="from PostgreSQL 18 on make it VIRTUAL; else add a column that a trigger fills, and "
        "fill the rows in batches",
        rewrite='op.execute(\n    "ALTER TABLE jobs ADD COLUMN size_mb bigint '
        'GENERATED ALWAYS AS (size_bytes / 1000000) VIRTUAL"\n)',
        detect=_generated,
    ),
    Rule(
        id="require-proven-not-null",
        title="SET NOT NULL that has to look at every row",
        consequence="{table} is read from end to end to see that {column} has no null, and "
        "everybody waits",
        help="add a check NOT VALID, validate it in the next revision, then SET NOT NULL (which "
        "takes the check's word) and drop it; from PostgreSQL 18 on NOT NULL itself can be NOT "
        "VALID",
        rewrite='op.execute("ALTER TABLE jobs ADD CONSTRAINT ck_jobs_rank CHECK (rank IS NOT NULL) '
        'NOT VALID")\n'
        "# the next revision\n"
        'op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT ck_jobs_rank")\n'
        "# the one after it\n"
        'op.alter_column("jobs", "rank", nullable=False)\n'
        'op.drop_constraint("ck_jobs_rank", "jobs")',
        detect=_not_null,
    ),
    Rule(
        id="avoid-type-change",
        title="A change of type that writes the table anew",
        consequence="{table} is written anew to make {column} {type} of {former}, and everybody "
        "waits",
        help="add a column of the new type, write both, fill the rows in batches, and let a "
        "contract revision drop the former",
        rewrite='op.add_column("files", sa.Column("size_new", sa.Numeric()))',
        detect=_retyped,
    ),
    Rule(
        id="avoid-type-change-under-check",
        title="A change of type that checks every row again or builds indexes anew",
        consequence="{table} is read from end to end because of what depends on {column}, and "
        "everybody waits",
        help="drop the check, change the type, add the check NOT VALID and validate it in the next "
        "revision; build the index concurrently beside the old one",
        rewrite='op.drop_constraint("ck_jobs_note", "jobs")\n'
        'op.alter_column("jobs", "note", type_=sa.Text())\n'
        "op.execute(\"ALTER TABLE jobs ADD CONSTRAINT ck_jobs_note CHECK (note <> '') NOT VALID\")",
        detect=_retyped_under_check,
    ),
    Rule(
        id="avoid-dropping-a-column",
        title="A column dropped while the release that runs may read it",
        consequence="the release that runs fails where it reads or writes {table}.{column}",
        help="deploy a release without it first, then drop it in a contract revision",
        rewrite='phase = "contract"\n\n\n'
        'def upgrade() -> None:\n    op.drop_column("jobs", "rank")',
        detect=_dropped,
    ),
    Rule(
        id="avoid-renaming-a-column",
        title="A column renamed",
        consequence="every release knows one of {table}.{column} and {to}, so one of them fails",
        help="add {to}, write both, fill it in batches, and let a contract revision drop {column}",
        rewrite='op.add_column("jobs", sa.Column("rank", sa.Integer()))',
        detect=_renamed,
    ),
    Rule(
        id="avoid-json-column",
        title="A column of type json",
        consequence="{table}.{column} is json, which has no equality: DISTINCT, GROUP BY and "
        "UNION over it fail",
        help="make it jsonb",
        rewrite='op.add_column("jobs", sa.Column("notes", postgresql.JSONB()))',
        detect=lambda unit: _typed(unit, "json"),
    ),
    Rule(
        id="avoid-small-integer-key",
        title="A primary key that runs out",
        consequence="{table}.{column} is {type}; the day it runs out every INSERT fails, and "
        "making it bigint writes the table anew",
        help="make it bigint",
        rewrite='sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)',
        detect=_small_keys,
        level="warning",
    ),
    Rule(
        id="avoid-timestamp-without-time-zone",
        title="A timestamp that does not say when",
        consequence="{table}.{column} is a timestamp without time zone: what it means depends on "
        "who reads it, and changing that later writes the table anew",
        help="make it timestamp with time zone",
        rewrite='sa.Column("at", sa.DateTime(timezone=True))',
        detect=lambda unit: _typed(unit, "timestamp without time zone", "timestamp"),
        level="warning",
    ),
    Rule(
        id="avoid-char-column",
        title="A column that is padded with blanks",
        consequence="{table}.{column} is {type}, which pads with blanks; changing that later "
        "writes the table anew",
        help="make it text, with a check on its length if it has one",
        rewrite='sa.Column("code", sa.Text())',
        detect=lambda unit: _typed(unit, "character", "bpchar"),
        level="warning",
    ),
)
