"""Rules on access: rows and values that the running release can no longer use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from surefoot.rules.difference import Difference, Terms, at, differences, losing, made_again
from surefoot.rules.findings import Hit, Rule, TracedRevision, locks_out
from surefoot.trace.effects import Effect
from surefoot.trace.statement import Statement

# To a number of the revision, or a parameter: which does not follow the table.
_SETS = re.compile(
    r"\bsetval\s*\(\s*((?:CAST|pg_get_serial_sequence)\s*\([^)]*\)|[^,()]+)"
    r",\s*(?:CAST\s*\(\s*)?(?:\d+|\$\d+)(?:::\w+|\s+AS\s+\w+\s*\))?\s*[,)]",
    re.IGNORECASE,
)
_AROUND = re.compile(r"::\s*\w+|\bAS\s+\w+|\bCAST\b|\bpg_get_serial_sequence\b", re.IGNORECASE)
_PARAMETER = re.compile(r"\$(\d+)")
# Rows with numbers of their own; without a list of columns, with all of them.
_INTO = (
    r"(?is)(?!.*\bDEFAULT\b)\b(?:INSERT\s+INTO|COPY)\s+(?:\"?\w+\"?\.)?\"?{}\b\"?\s*"
    r"(?:\(([^)]*)\)|VALUES\b|SELECT\b)"
)
# The sequence follows them.
_FOLLOWS = re.compile(r"\bsetval\s*\(|\b(?:RE)?START\b", re.IGNORECASE)
_NEXT = re.compile(r"nextval\('([^']+)'")
_RESTARTS = re.compile(r"\bRESTART\b", re.IGNORECASE)


def _defaults(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Columns that got a value by themselves, and are required or empty without one now."""
    for its in left:
        if its.noun == "type" and its.lost("default") and its.now and its.now["required"]:
            yield at(its, what="fail where they leave out a column of it that is required")
        if its.noun != "column" or its.now is None:
            continue
        now, parts = its.now, its.statement.of("detached")
        if any(effect.name == its.effect.relation for effect in parts):
            continue  # a partition has the identity of its parent
        if now["default"] or now["identity"] or now["generated"]:
            continue
        old = its.former or its.effect.facts["former"]
        if not old or not (old["default"] or old["identity"] or old["generated"]):
            continue
        if now["required"]:
            yield at(its, what="fail where they leave it out")
        elif old["generated"]:
            yield at(its, what="leave it empty, as it is not computed any more")


def _nullable(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Columns that may be null now."""
    return (at(its) for its in left if its.noun == "column" and its.lost("required"))


def _generated(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Columns that accept no value any more."""
    for its in left:
        if its.noun == "column" and its.former and its.now:
            always = its.now["identity"] == "a" != its.former["identity"]
            if always or its.gained("generated"):
                yield at(its, what="GENERATED ALWAYS")


def _rows(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Rows that row level security hides from the running release, or no longer hides."""
    for its in left:
        table = its.effect.relation
        if its.noun == "table" and its.former and its.now:
            policies = [d.now for d in left if d.noun == "policy" and d.effect.relation == table]
            on = its.gained("secured") or (its.now["secured"] and its.gained("forced"))
            if its.lost("secured"):
                yield at(its, what="row level security no longer hides rows of")
            elif its.now["secured"] and its.lost("forced"):
                yield at(its, what="row level security no longer hides rows from the owner of")
            elif on and not _lets_in([*its.now["policies"], *filter(None, policies)], its.now):
                yield at(its, what="no policy lets everybody read and write every row of")
        elif its.noun == "view" and its.lost("invoker"):
            yield at(its, what="row level security of its caller no longer hides rows of")
        elif its.noun == "materialized view" and its.lost("populated"):
            yield at(its, what="until it is refreshed nobody can read")
        elif its.noun == "policy" and (its.now or its.former or {})["secured"]:
            yield from _policies(
                its, {d.effect.name for d in left if d.noun == "policy" and not d.former}
            )


def _policies(its: Difference, new: set[str]) -> Iterator[Hit]:
    """Of a policy that is new, changed or gone."""
    old, now, name = its.former, its.now, its.effect.name
    if now is None:
        yield at(its, what=f"policy {name} no longer decides on rows of")
    elif not now["permissive"]:
        yield at(its, what=f"restrictive policy {name} hides rows of")
    elif old and _by_itself(now) != _by_itself(old):
        yield at(its, what=f"policy {name} now lets it use other rows of")
    elif not old and {*(now["beside"] or ())} - new:
        yield at(its, what=f"policy {name} lets it use more rows of")


def _lets_in(policies: Iterable[Terms], table: Terms) -> bool:
    """Whether policies let all who have rights on a whole table do everything with every row."""
    may = {right.rpartition(" ")[0] for right in table["rights"] or ()}
    commands: dict[str, set[str]] = {}
    everybody: set[str] = set()
    for its in policies:
        if its["permissive"] and {its["using"], its["check"]} <= {None, "true"}:
            if "0" in its["roles"]:  # PUBLIC
                everybody.add(its["command"])
            for role in its["covers"] or ():
                commands.setdefault(role, set()).add(its["command"])
    return _all(everybody) or (bool(may) and all(_all(commands.get(each, set())) for each in may))


def _all(commands: set[str]) -> bool:
    return "*" in commands or commands >= set("rawd")


def _hidden(unit: TracedRevision) -> Iterator[Hit]:
    """Also those of a table that is a child of another one now, or no longer."""
    yield from losing(_rows)(unit)
    yield from _rows(unit, made_again(unit))
    kinds = ("detached", "attached", "partition_created") if unit.phase != "contract" else ()
    for statement, effect in unit.effects(*kinds):
        # Of one that is not concurrent there is require-concurrent-detach.
        is_part = effect.kind == "detached" and not locks_out(statement, effect)
        if effect.facts["kind"] == "r" or is_part:
            gives = "no longer gives" if effect.kind == "detached" else "gives"
            yield Hit.of(statement, effect, what=f"{effect.name} {gives} its rows to")


def _by_itself(terms: Terms) -> Terms:
    return {name: terms[name] for name in terms.keys() - {"secured", "beside", "covers"}}


def _bounds(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Sequences that end earlier, or that begin again."""
    for its in left:
        if its.noun == "sequence" and its.former and its.now:
            (most, least, step, cycles), old = its.now["sequence"], its.former["sequence"]
            if most < old[0] or least > old[1]:
                yield _numbering(its, "ends earlier, and INSERTs fail then")
            elif cycles and not old[3]:
                yield _numbering(its, "gives the same numbers again after the last one")
            elif (step > 0) != (old[2] > 0):
                yield _numbering(its, "counts in the other direction")


def _numbering(its: Difference, what: str) -> Hit:
    return at(its, what=what, **_alone(its.label))


def _alone(sequence: str) -> dict[str, str]:
    """The values of a sequence whose column is not known."""
    return {"sequence": sequence, "table": "", "column": ""}


def _sequences(unit: TracedRevision) -> Iterator[Hit]:
    """Also those that are set to a number, in every phase."""
    yield from losing(_bounds)(unit)
    made = {e.relation for _, e in unit.effects("created", fresh=True)}
    for statement in unit.statements:
        if match := _SETS.search(statement.sql):
            given = statement.parameters
            name = _PARAMETER.sub(lambda each, of=given: str(of[int(each[1]) - 1]), match[1])
            words = re.findall(r"[\w.]+", _AROUND.sub("", name))
            if not made & {each.lower() for each in words}:
                name = ".".join(words)
                yield Hit.at(statement, name=name, what="gives numbers again", **_alone(name))
    gone = [e for _, e in unit.effects("dropped") if e.facts["kind"] == "S"]
    owned = {effect.relation: effect.facts["owned"] for effect in gone}
    for statement, effect in unit.effects("created", fresh=True):
        # A serial column in the place of an identity gets its value in a later revision.
        if not owned.get(effect.relation, True) or (
            effect.relation in owned and effect.facts["owned"]
        ):
            yield _again(statement, effect)
    yield from _behind(unit)
    for statement, effect in unit.effects("restarted"):
        if _RESTARTS.search(statement.sql) and not statement.emptied:
            yield _again(statement, effect)


def _again(statement: Statement, effect: Effect) -> Hit:
    name = effect.relation
    return Hit.of(statement, effect, name=name, what="gives numbers again", **_alone(name))


def _behind(unit: TracedRevision) -> Iterator[Hit]:
    """Numbers that were given without their sequence, or are given by a new one from 1 on."""
    if any(_FOLLOWS.search(statement.sql) for statement in unit.statements):
        return
    for statement in unit.statements:
        for table, columns in statement.numbered.items():
            into = re.search(_INTO.format(re.escape(table.rpartition(".")[2])), statement.sql)
            named = re.findall(r"\w+", into[1] or " ".join(columns)) if into else []
            for column in sorted(columns & {*named}):
                what = "does not know the numbers of these rows"
                name = f"of {table}.{column}"
                yield Hit.at(statement, name=name, what=what, table=table, column=column)
    made = {e.relation for _, e in unit.effects("created", fresh=True) if e.facts["kind"] == "S"}
    for its in differences(unit):
        if its.noun == "column" and its.former and its.now and its.changed("default"):
            new = _NEXT.match(its.now["default"] or "")
            had = its.former["identity"] or _NEXT.match(its.former["default"] or "")
            if new and new[1] in made and (had or its.former["required"]):
                values = {"name": new[1], "sequence": new[1], "what": "gives numbers again"}
                yield Hit.of(its.statement, its.effect, **values)
        elif its.noun == "column" and its.former and its.gained("identity"):
            if its.effect.relation in {e.name for e in its.statement.of("attached")}:
                continue  # it numbers its rows as its parent does
            what = "does not know the numbers that are there"
            yield Hit.of(its.statement, its.effect, name=f"of {its.label}", what=what)


def _collations(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Columns that sort and compare in another way."""
    for its in left:
        if its.noun == "column" and its.former and its.now:
            old, now = its.former["collation"], its.now["collation"]
            if old != now:
                yield at(its, old=old or "the default", new=now or "the default")


RULES = (
    Rule(
        id="avoid-dropping-a-default",
        title="A default, identity or expression dropped that INSERTs rely on",
        consequence="{name} gets no value by itself; INSERTs of the running release {what}",
        help="deploy a release that gives the value, then drop it in a contract revision",
        rewrite='phase = "contract"',
        page="ddl-default",
        detect=losing(_defaults),
    ),
    Rule(
        id="avoid-dropping-not-null",
        title="A column made nullable",
        consequence="the running release may not expect nulls in {name}",
        help="deploy a release that accepts nulls; then drop NOT NULL in a contract revision",
        rewrite='phase = "contract"',
        page="ddl-constraints",
        detect=losing(_nullable),
        level="warning",
    ),
    Rule(
        id="avoid-generated-always",
        title="A column that accepts no value any more",
        consequence="{name} is {what} now; INSERTs of the running release that give it a value "
        "fail",
        help="use GENERATED BY DEFAULT AS IDENTITY; or deploy a release that gives no value, then "
        "do this in a contract revision",
        rewrite='op.execute("ALTER TABLE {table:sql} ALTER COLUMN {column:sql} '
        'SET GENERATED BY DEFAULT")',
        page="ddl-identity-columns",
        detect=losing(_generated),
    ),
    Rule(
        id="avoid-hiding-rows",
        title="Rows hidden by row level security, or that a parent table gets or loses",
        consequence="{what} {table}; the running release reads other rows than before, or its "
        "writes fail",
        help="do it in a contract revision, after a release that expects it; before row level "
        "security is enabled, create permissive policies that let the release in",
        rewrite='op.execute("CREATE POLICY everybody ON {table:sql} USING (true)")\n'
        "# behind it the statement that enables or forces row level security, as it is",
        page="ddl-rowsecurity",
        detect=_hidden,
    ),
    Rule(
        id="avoid-narrowing-a-sequence",
        title="A sequence that ends earlier, or gives numbers again",
        consequence="sequence {name} {what}; INSERTs may get a number that is in use, or none",
        help="keep its bounds, NO CYCLE, and its value; set the value by setval() to the highest "
        "one in use",
        rewrite="# its bounds\n"
        'op.execute("ALTER SEQUENCE {sequence:sql} AS bigint NO MAXVALUE NO CYCLE")\n'
        "# its value\n"
        "op.execute(\"SELECT setval('{sequence:sql}', max({column:sql})) FROM {table:sql}\")",
        page="sql-altersequence",
        detect=_sequences,
    ),
    Rule(
        id="avoid-changing-collation",
        title="A column with another collation",
        consequence="{name} has collation {new}, and not {old}: it sorts and compares otherwise, "
        "and its indexes are built again",
        help="add a column with the new collation, or name the collation in the queries",
        rewrite='op.execute("ALTER TABLE {table:sql} ADD COLUMN {column:sql}_new text COLLATE …")',
        page="collation",
        detect=losing(_collations),
    ),
)
