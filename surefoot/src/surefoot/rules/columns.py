"""Rules on columns: adding, changing, renaming and dropping one in a table that is in use."""

import re
from collections.abc import Iterator
from dataclasses import replace

from surefoot.rules.findings import Detector, Hit, Rule, TracedRevision, on, rewrites, scans
from surefoot.trace.effects import Effect
from surefoot.trace.statement import Statement

_REQUIRED = re.compile(r"\((\w+) IS NOT NULL\)")
# Where null may be let in all the same.
_OPTIONAL = re.compile(r"\b(?:OR|CASE|NOT \()\b")


def _rewriting(kind: str) -> Detector:
    return on("column_added", where=lambda s, e: rewrites(s, e) and _kind(e) == kind)


def _generated(unit: TracedRevision) -> Iterator[Hit]:
    for hit in _rewriting("generated")(unit):
        yield replace(hit, values={**hit.values, "expression": hit.values["default"]})
    for statement, effect in unit.effects("column_recomputed"):
        yield Hit.of(statement, effect, type="")


def _kind(effect: Effect) -> str:
    for kind in ("identity", "generated"):
        if effect.facts[kind]:
            return kind
    default = effect.facts["default"] or ""
    if effect.facts["domain"] and "(" not in default:
        return "domain"
    return "serial" if default.startswith("nextval(") else "default"


def _gets_zone(effect: Effect) -> bool:
    """Whether the change is between the two types of a timestamp, of the same precision."""
    types = {str(effect.facts[each]) for each in ("former", "type")}
    bases = {re.sub(r" with(out)? time zone", "", each) for each in types}
    return len(types) == 2 and len(bases) == 1


def _unfilled(unit: TracedRevision) -> Iterator[Hit]:
    """Required by NOT NULL, or by a check that rows of the running release break."""
    empty = set()
    for statement, effect in unit.effects("column_added", "constraint_added"):
        facts = effect.facts
        if effect.kind == "column_added":
            if facts["default"] or facts["identity"] or facts["generated"]:
                continue
            empty.add((effect.relation, effect.name))
            if facts["required"]:
                what = "adding it fails if there are rows; if not, its INSERTs fail"
                yield Hit.of(statement, effect, what=what)
        elif _OPTIONAL.search(check := facts["check"] or "") is None:
            for name in _REQUIRED.findall(check):
                if (effect.relation, name) in empty:
                    what = f"{effect.name} refuses its INSERTs, and UPDATEs of existing rows"
                    yield Hit.of(statement, effect, column=name, type="…", what=what)


def _proves_not_null(statement: Statement, effect: Effect) -> bool:
    if effect.kind == "column_added" and not (
        effect.facts["required"] and effect.facts["generated"] == "v"
    ):
        return False  # only a virtual column has values that no rewrite has looked at
    keys = (e for e in statement.of("constraint_added") if e.facts["kind"] == "p")
    return scans(statement, effect) and not statement.rewrites and not any(keys)


def _is_checked(statement: Statement, effect: Effect) -> bool:
    """Whether a change of type scans the table or rebuilds its indexes."""
    indexed = frozenset(statement.tables[i] for i in statement.rebuilds & statement.tables.keys())
    return not rewrites(statement, effect) and (
        scans(statement, effect) or statement.within(effect.relation, indexed)
    )


def _dropped(unit: TracedRevision) -> Iterator[Hit]:
    own: set[tuple[str, str]] = set()
    for statement in unit.statements:
        own |= {(e.relation, e.name) for e in statement.of("column_added")}
        for effect in statement.of("column_dropped"):
            known = (effect.relation, effect.name) in own
            if not known and not unit.drops(statement, effect.name):
                yield Hit.of(statement, effect)


def _renamed(unit: TracedRevision) -> Iterator[Hit]:
    # A column may replace one that this contract revision drops: every release knows its name.
    dropped = unit.effects("column_dropped") if unit.phase == "contract" else ()
    replaced = {(effect.relation, effect.name) for _, effect in dropped}
    yield from on("column_renamed", where=lambda _, e: (e.relation, e.facts["to"]) not in replaced)(
        unit
    )


def _numbered(kind: str, *, id: str, title: str, page: str) -> Rule:  # noqa: A002 - as Rule has it
    return Rule(
        id=id,
        title=title,
        consequence="{table} is rewritten under ACCESS EXCLUSIVE to number {column}; reads and "
        "writes block",
        help="add a bigint column and a sequence, set the default, then number the rows in batches",
        rewrite='op.add_column("{table}", sa.Column("{column}", sa.BigInteger()){schema})\n'
        'op.execute("CREATE SEQUENCE {table}_{column}_seq OWNED BY {table:sql}.{column:sql}")\n'
        'op.execute("ALTER TABLE {table:sql} ALTER COLUMN {column:sql} '
        "SET DEFAULT nextval('{table}_{column}_seq')\")",
        grows=True,
        page=page,
        detect=_rewriting(kind),
    )


RULES = (
    Rule(
        id="avoid-required-column-without-default",
        title="A NOT NULL column without a default",
        consequence="{table}.{column} has no value in rows of the running release: {what}",
        help="add it with a server default; or add it nullable, backfill it, then set NOT NULL",
        rewrite='op.execute("ALTER TABLE {table:sql} ADD COLUMN {column:sql} {type}")\n'
        "# backfill it; then NOT NULL in the steps of require-proven-not-null",
        page="ddl-alter",
        detect=_unfilled,
    ),
    Rule(
        id="avoid-volatile-default",
        title="A column with a volatile default",
        consequence="{table} is rewritten under ACCESS EXCLUSIVE to fill {column}; reads and "
        "writes block",
        help="add the column without a default, set the default, then backfill it in batches",
        rewrite='op.execute("ALTER TABLE {table:sql} ADD COLUMN {column:sql} {type}")\n'
        'op.execute("ALTER TABLE {table:sql} ALTER COLUMN {column:sql} SET DEFAULT '
        '{default}")',
        grows=True,
        page="sql-altertable",
        detect=_rewriting("default"),
    ),
    Rule(
        id="avoid-column-of-constrained-domain",
        title="A column whose type is a domain with constraints",
        consequence="{table} is rewritten under ACCESS EXCLUSIVE to check {column} by its domain "
        "{type}; reads and writes block",
        help="add the column with the base type of the domain, and a check NOT VALID that is "
        "validated in the next revision",
        rewrite='op.execute("ALTER TABLE {table:sql} ADD COLUMN {column:sql} … '
        'CONSTRAINT ck_{table}_{column} CHECK (…)")',
        grows=True,
        page="sql-altertable",
        detect=_rewriting("domain"),
    ),
    _numbered(
        "serial",
        id="avoid-serial-column",
        title="A serial column added to an existing table",
        page="datatype-numeric",
    ),
    _numbered(
        "identity",
        id="avoid-identity-column",
        title="An identity column added to an existing table",
        page="ddl-identity-columns",
    ),
    Rule(
        id="avoid-stored-generated-column",
        title="A stored generated column in an existing table",
        consequence="{table} is rewritten under ACCESS EXCLUSIVE to compute {column}; reads and "
        "writes block",
        help="make it VIRTUAL (PostgreSQL 18 or later), or add a plain column, fill it by trigger "
        "and backfill the rows in batches",
        rewrite='op.execute("ALTER TABLE {table:sql} ADD COLUMN {column:sql} {type} '
        'GENERATED ALWAYS AS ({expression}) VIRTUAL")',
        grows=True,
        page="ddl-generated-columns",
        detect=_generated,
    ),
    Rule(
        id="require-proven-not-null",
        title="NOT NULL that scans the table",
        consequence="{table} is scanned under ACCESS EXCLUSIVE to find nulls in {column}; reads "
        "and writes block",
        help="add a check NOT VALID, validate it in the next revision, then SET NOT NULL, which "
        "skips the scan, and drop the check; in PostgreSQL 18 or later NOT NULL itself can be "
        "NOT VALID",
        rewrite="op.create_check_constraint(\n"
        '    op.f("ck_{table}_{column}_not_null"),\n'
        '    "{table}",\n'
        '    "{column:sql} IS NOT NULL"{schema},\n'
        "    postgresql_not_valid=True,\n"
        ")\n"
        "# the next revision\n"
        'op.execute("ALTER TABLE {table:sql} VALIDATE CONSTRAINT '
        'ck_{table}_{column}_not_null")\n'
        "# the one after it\n"
        'op.alter_column("{table}", "{column}", nullable=False{schema})\n'
        'op.drop_constraint(op.f("ck_{table}_{column}_not_null"), "{table}"{schema})',
        grows=True,
        page="sql-altertable",
        detect=on("column_required", "column_added", where=_proves_not_null),
    ),
    Rule(
        id="avoid-type-change",
        title="A type change that rewrites the table",
        consequence="{table} is rewritten under ACCESS EXCLUSIVE to change {column} from {former} "
        "to {type}; reads and writes block",
        help="add a column of the new type, write to both, backfill the rows in batches, and drop "
        "the old column in a contract revision",
        rewrite='op.execute("ALTER TABLE {table:sql} ADD COLUMN {column}_new {type}")\n'
        "# write to both and backfill the rows in batches; then in a contract revision:\n"
        'op.drop_column("{table}", "{column}"{schema})\n'
        'op.alter_column("{table}", "{column}_new", new_column_name="{column}"{schema})',
        grows=True,
        page="sql-altertable",
        detect=on("column_retyped", where=lambda s, e: rewrites(s, e) and not _gets_zone(e)),
    ),
    Rule(
        id="require-utc-for-time-zone",
        title="A timestamp that gets a time zone, or loses it, by a rewrite",
        consequence="{table} is rewritten under ACCESS EXCLUSIVE to change {column} from {former} "
        "to {type} in the time zone of the session; reads and writes block",
        help="if the values are in UTC, SET LOCAL timezone = 'UTC' first: PostgreSQL then rewrites "
        "nothing; otherwise add a column of the new type, write to both, and backfill the rows in "
        "batches",
        rewrite="op.execute(\"SET LOCAL timezone = 'UTC'\")\n"
        'op.execute("ALTER TABLE {table:sql} ALTER COLUMN {column:sql} TYPE {type}")',
        grows=True,
        page="datatype-datetime",
        detect=on("column_retyped", where=lambda s, e: rewrites(s, e) and _gets_zone(e)),
    ),
    Rule(
        id="avoid-type-change-under-check",
        title="A type change that checks every row or rebuilds indexes",
        consequence="{table} is scanned under ACCESS EXCLUSIVE because a check or an index depends "
        "on {column}; reads and writes block",
        help="drop the check, change the type, add the check NOT VALID and validate it in the next "
        "revision; for an index, build its replacement concurrently first",
        rewrite='op.drop_constraint("ck_…", "{table}"{schema})\n'
        'op.execute("ALTER TABLE {table:sql} ALTER COLUMN {column:sql} TYPE {type}")\n'
        'op.create_check_constraint(op.f("ck_…"), "{table}", "condition"{schema}, '
        "postgresql_not_valid=True)\n"
        "# the next revision\n"
        'op.execute("ALTER TABLE {table:sql} VALIDATE CONSTRAINT ck_…")',
        grows=True,
        page="sql-altertable",
        detect=on("column_retyped", where=_is_checked),
    ),
    Rule(
        id="avoid-dropping-a-column",
        title="A column dropped while the running release may use it",
        consequence="the running release fails wherever it reads or writes {table}.{column}",
        help="deploy a release that does not use it, then drop it in a contract revision",
        rewrite='phase = "contract"\n'
        "\n"
        "\n"
        "def upgrade() -> None:\n"
        '    op.drop_column("{table}", "{column}"{schema})',
        page="ddl-alter",
        detect=_dropped,
    ),
    Rule(
        id="avoid-renaming-a-column",
        title="A column renamed",
        consequence="the running release uses {table}.{column}, the next one {to}; one of them "
        "fails",
        help="add {to}, write to both, backfill it in batches, and drop {column} in a contract "
        "revision",
        rewrite='op.add_column("{table}", sa.Column("{to}", sa.Text()){schema})  # of the type of '
        "{column}\n"
        "# write to both and backfill the rows in batches; then in a contract revision:\n"
        'op.drop_column("{table}", "{column}"{schema})',
        page="ddl-alter",
        detect=_renamed,
    ),
)
