"""Rules on constraints: the scan that validates one, and the lock meanwhile."""

from collections.abc import Iterator, Sequence

from surefoot.rules.findings import Detector, Hit, Rule, TracedRevision, locks_out, on, scans
from surefoot.trace.effects import Effect
from surefoot.trace.statement import Statement


def _validated(kind: str) -> Detector:
    """Of a constraint that is new, or that ENFORCED validates beside such locks."""
    return on(
        "constraint_added",
        "constraint_validated",
        where=lambda s, e: (
            e.facts["kind"] == kind
            and e.facts["validated"]
            and scans(s, e)
            and (e.kind == "constraint_added" or locks_out(s, e))
        ),
    )


def _references_used(statement: Statement, effect: Effect) -> bool:
    """Whether a new table or column references a table that is in use."""
    facts = effect.facts
    if facts["kind"] != "f" or facts["referenced_fresh"] or not facts["validated"]:
        return False
    added = {e.relation for e in statement.of("column_added")}
    return effect.fresh or (effect.relation in added and not scans(statement, effect))


def _builds_index(kind: str) -> Detector:
    return on(
        "constraint_added",
        where=lambda _, e: (
            ("x" if e.facts["excludes"] else e.facts["kind"]) == kind and not e.facts["used_index"]
        ),
    )


def _key_on_nullable(statement: Statement, effect: Effect) -> bool:
    required = {e.relation for e in statement.of("column_required")}
    key = effect.facts["kind"] == "p" and effect.relation in required
    return key and scans(statement, effect)


def _validated_at_once(unit: TracedRevision) -> Iterator[Hit]:
    added: set[tuple[str, str]] = set()
    for statement, effect in unit.effects("constraint_added", "constraint_validated"):
        if not statement.transactional:
            continue
        if effect.kind == "constraint_validated":
            of_domain = effect.facts.get("domain", False)
            # Without a column a domain has nothing to scan.
            if (effect.relation, effect.name) in added and (statement.scans or not of_domain):
                kind = "DOMAIN" if of_domain else "TABLE"
                scanned = ", ".join(sorted(statement.scans)) or effect.relation
                yield Hit.of(statement, effect, kind=kind, scanned=scanned)
        elif not effect.facts["validated"]:
            added.add((effect.relation, effect.name))


def _domain_checks(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        proven = [
            (effect.relation, effect.name)
            for effect in statement.of("constraint_added")
            if effect.facts.get("domain")
            and effect.facts["validated"]
            and effect.facts["kind"] == "c"
        ]
        proven += [(e.relation, "NOT NULL") for e in statement.of("domain_required")]
        tables = ", ".join(sorted(statement.scans))
        for domain, name in proven if tables else ():
            check = f"{domain}_not_null" if name == "NOT NULL" else name
            yield Hit.at(statement, domain=domain, name=name, check=check, tables=tables)


def _without_index(unit: TracedRevision) -> Iterator[Hit]:
    last = {}
    # In one statement constraints come before indexes.
    for statement, effect in unit.effects("constraint_added", "index_created", fresh=True):
        columns = effect.facts["columns"]
        if effect.kind == "constraint_added":
            if effect.facts["kind"] == "f" and effect.facts["enforced"]:
                last[effect.relation, columns] = (statement, effect)
        elif not effect.facts.get("partial"):
            for table, keys in list(last):
                if table == effect.relation and set(columns[: len(keys)]) == set(keys):
                    del last[table, keys]
    later = {
        (e.relation, e.facts["columns"])
        for _, e in unit.effects("index_created", "constraint_dropped", fresh=True)
    }
    gone = {e.relation for _, e in unit.effects("dropped", "column_dropped")}
    for statement, effect in unit.effects("index_dropped"):
        for to, columns in effect.facts["left"].items():
            served = any(t == effect.relation and c[: len(columns)] == columns for t, c in later)
            if not served and effect.relation not in gone:
                yield _unindexed(statement, effect, columns, to=to)
    for (_, columns), (statement, effect) in last.items():
        if not effect.facts["indexed"]:
            yield _unindexed(statement, effect, columns)


def _unindexed(statement: Statement, effect: Effect, keys: Sequence[str], **to: str) -> Hit:
    said, joined = ", ".join(keys), "_".join(keys)
    return Hit.of(statement, effect, **to, keys=keys, columns=said, column=joined)


RULES = (
    Rule(
        id="require-not-valid-check",
        title="A check constraint validated when it is added",
        consequence="{table} is scanned under ACCESS EXCLUSIVE to validate {name}; reads and "
        "writes block",
        help="add it NOT VALID; validate it in the next revision, which does not block writes",
        rewrite='op.execute("ALTER TABLE {table:sql} ADD CONSTRAINT {name:sql} {check} '
        'NOT VALID")\n'
        "# the next revision\n"
        'op.execute("ALTER TABLE {table:sql} VALIDATE CONSTRAINT {name:sql}")',
        grows=True,
        page="sql-altertable",
        detect=_validated("c"),
    ),
    Rule(
        id="require-not-valid-foreign-key",
        title="A foreign key validated when it is added",
        consequence="{table} and {to} are scanned to validate {name}; writes to both block",
        help="add it NOT VALID; validate it in the next revision, which does not block writes",
        rewrite='op.execute("ALTER TABLE {table:sql} ADD CONSTRAINT {name:sql} '
        'FOREIGN KEY ({columns:sql}) REFERENCES {to:sql} … NOT VALID")\n'
        "# the next revision\n"
        'op.execute("ALTER TABLE {table:sql} VALIDATE CONSTRAINT {name:sql}")',
        grows=True,
        page="sql-altertable",
        detect=_validated("f"),
    ),
    Rule(
        id="avoid-reference-with-its-column",
        title="A foreign key created together with its table or column",
        consequence="{name} takes SHARE ROW EXCLUSIVE on {to}, also for an empty table; writes to "
        "{to} block while it waits for that lock, and until the revision commits",
        help="create the table or column without it, and add the foreign key NOT VALID in a "
        "separate revision, which does nothing else under the lock",
        rewrite="# a revision after that of the table or column\n"
        'op.execute("ALTER TABLE {table:sql} ADD CONSTRAINT {name:sql} '
        'FOREIGN KEY ({columns:sql}) REFERENCES {to:sql} … NOT VALID")\n'
        "# the next revision\n"
        'op.execute("ALTER TABLE {table:sql} VALIDATE CONSTRAINT {name:sql}")',
        page="sql-createtable",
        detect=on("constraint_added", where=_references_used, fresh=True),
        level="warning",
    ),
    Rule(
        id="require-concurrent-unique",
        title="A unique constraint that builds its index",
        consequence="the index of {name} is built under ACCESS EXCLUSIVE on {table}; reads and "
        "writes block",
        help="build a unique index concurrently, and add the constraint USING INDEX in the next "
        "revision; for a partitioned table both for each partition, and then add it to the table",
        rewrite='op.create_index_concurrently("{name}", "{table}", [{columns}], '
        "unique=True{schema})\n"
        "# the next revision\n"
        'op.execute("ALTER TABLE {table:sql} ADD CONSTRAINT {name:sql} UNIQUE USING INDEX '
        '{name:sql}")',
        grows=True,
        page="sql-altertable",
        detect=_builds_index("u"),
    ),
    Rule(
        id="require-concurrent-primary-key",
        title="A primary key that builds its index",
        consequence="the index of {name} is built under ACCESS EXCLUSIVE on {table}; reads and "
        "writes block",
        help="build a unique index concurrently, and add the key USING INDEX in the next revision; "
        "for a partitioned table both for each partition, and then add it to the table",
        rewrite='op.create_index_concurrently("{name}", "{table}", [{columns}], '
        "unique=True{schema})\n"
        "# the next revision\n"
        'op.execute("ALTER TABLE {table:sql} ADD CONSTRAINT {name:sql} PRIMARY KEY USING '
        'INDEX {name:sql}")',
        grows=True,
        page="sql-altertable",
        detect=_builds_index("p"),
    ),
    Rule(
        id="avoid-primary-key-on-nullable-columns",
        title="A primary key on nullable columns",
        consequence="{table} is scanned under ACCESS EXCLUSIVE to find nulls in the key {name}; "
        "reads and writes block",
        help="set the columns NOT NULL first, by way of a validated check",
        rewrite="for column in [{columns}]:  # each in the steps of require-proven-not-null\n"
        '    op.alter_column("{table}", column, nullable=False{schema})',
        grows=True,
        page="sql-altertable",
        detect=on("constraint_added", where=_key_on_nullable),
    ),
    Rule(
        id="avoid-exclusion-constraint",
        title="An exclusion constraint, or a key WITHOUT OVERLAPS, on an existing table",
        consequence="the index of {name} is built under ACCESS EXCLUSIVE on {table}; reads and "
        "writes block, and PostgreSQL cannot build it concurrently",
        help="create it with the table, or in a maintenance window",
        rewrite="# in the revision that creates {table}",
        grows=True,
        page="ddl-constraints",
        detect=_builds_index("x"),
    ),
    Rule(
        id="require-validation-apart",
        title="A constraint added and validated in one transaction",
        consequence="the lock that added {name} is held while {scanned} is scanned",
        help="validate it in the next revision",
        rewrite="# the next revision\n"
        'op.execute("ALTER {kind} {table:sql} VALIDATE CONSTRAINT {name:sql}")',
        grows=True,
        page="sql-altertable",
        detect=_validated_at_once,
    ),
    Rule(
        id="require-not-valid-domain-check",
        title="A domain constraint validated when it is added",
        consequence="{tables} is scanned to validate {name} of {domain}; writes block",
        help="add it NOT VALID (NOT NULL as a check), and validate it in the next revision",
        rewrite='op.execute("ALTER DOMAIN {domain:sql} ADD CONSTRAINT {name:sql} CHECK (condition) '
        'NOT VALID")\n'
        "# the next revision\n"
        'op.execute("ALTER DOMAIN {domain:sql} VALIDATE CONSTRAINT {name:sql}")',
        grows=True,
        page="sql-alterdomain",
        detect=_domain_checks,
    ),
    Rule(
        id="require-index-for-foreign-key",
        title="A foreign key without an index on its columns",
        consequence="each DELETE in {to} scans {table}: no index begins with {columns}",
        help="build the index concurrently in an earlier revision",
        rewrite='op.create_index_concurrently("ix_{table}_{column}", "{table}", [{keys}]{schema})',
        grows=True,
        page="ddl-constraints",
        detect=_without_index,
        level="warning",
    ),
)
