"""A domain whose constraints change under columns that are of it.

PostgreSQL looks at every row of them when a constraint is added, while writers wait. A check is
promised and then proven. NOT NULL of a domain cannot be promised: it comes last and by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alembic.operations import MigrateOperation

from surefoot.autogenerate import no_other_way, wording
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.parts import Part, Turn
from surefoot.autogenerate.steps import Stage, Step, sql
from surefoot.catalog import Attributes, Key, Value
from surefoot.catalog.statements import quoted


def is_constrained(domain: Attributes) -> bool:
    """Whether there are values of the type that are none of the domain."""
    return bool(domain["not null"] or domain["checks"])


def checked_domain(comparison: Comparison, column: Key) -> bool:
    """Whether a new column is of a domain that has constraints already, which null may break."""
    used = (comparison.database.objects.get(key, {}) for key in comparison.models.uses[column])
    return any("checks" in domain and is_constrained(domain) for domain in used)


def tables_of(comparison: Comparison, domain: Key) -> list[str]:
    """The tables that are there, and have or get a column of the domain."""
    users = comparison.models.users_of(domain)
    tables = {str(comparison.models.objects[u]["table"]) for u in users if u.kind == "column"}
    return sorted(table for table in tables if comparison.is_in_use(table))


def made(step: Step, key: Key, comparison: Comparison) -> Iterator[Part]:
    """A new domain: without its constraints, or a column of it would be written for every row."""
    after = comparison.models.objects[key]
    if not (is_constrained(after) and tables_of(comparison, key)):
        yield Part(step, Turn.MAIN)
        return
    bare: Attributes = {**after, "not null": False, "checks": None}
    yield Part(Step(step.stage, wording.create(key, bare), step.undo, "begin", key), Turn.MAIN)
    yield from _constrained(key, bare, after, comparison, Turn.KEYS)


def changed(step: Step, key: Key, comparison: Comparison) -> Iterator[Part]:
    """A domain that columns are of."""
    before, after = comparison.database.objects[key], comparison.models.objects[key]
    if not tables_of(comparison, key):
        yield Part(step, Turn.MAIN)
        return
    if do := _loosened(before, after):
        former: Attributes = {**after, "default": before["default"]}
        undo = [*_loosened(after, former), *_bound(after, before)]
        yield Part(Step(step.stage, do, undo, "change", key), Turn.MAIN)
    yield from _constrained(key, before, after, comparison, Turn.MAIN)


def redefined(before: Attributes, after: Attributes) -> list[MigrateOperation]:
    """The statements that take a domain from one definition to another."""
    return [*_loosened(before, after), *_bound(before, after)]


def _loosened(before: Attributes, after: Attributes) -> list[MigrateOperation]:
    """Another default, and what goes."""
    said: list[str] = []
    if before["default"] != after["default"]:
        said.append(
            "DROP DEFAULT" if after["default"] is None else f"SET DEFAULT {after['default']}"
        )
    if before["not null"] and not after["not null"]:
        said.append("DROP NOT NULL")
    kept = _checks(after["checks"])
    said += [f"DROP CONSTRAINT {_name(c)}" for c in _checks(before["checks"]) if c not in kept]
    return _altered(after, said)


def _bound(before: Attributes, after: Attributes) -> list[MigrateOperation]:
    """What comes."""
    old = _checks(before["checks"])
    said = [f"ADD CONSTRAINT {check}" for check in _checks(after["checks"]) if check not in old]
    if after["not null"] and not before["not null"]:
        said.append("SET NOT NULL")
    return _altered(after, said)


def _altered(domain: Attributes, said: Iterable[str]) -> list[MigrateOperation]:
    return [sql(f"ALTER DOMAIN {quoted(domain['name'])} {words}") for words in said]


def _constrained(
    key: Key, before: Attributes, after: Attributes, comparison: Comparison, turn: Turn
) -> Iterator[Part]:
    domain, tables = f"ALTER DOMAIN {quoted(after['name'])}", tables_of(comparison, key)
    old = _checks(before["checks"])
    for check in _checks(after["checks"]):
        if check in old:
            continue
        name = _name(check)
        add = sql(f"{domain} ADD CONSTRAINT {check} NOT VALID")
        drop = sql(f"{domain} DROP CONSTRAINT {name}")
        title = f"Add {name} to {key.name}"
        yield Part(Step(Stage.CREATE, [add], [drop], "promise", key), turn, "", title)
        prove = sql(f"{domain} VALIDATE CONSTRAINT {name}")
        yield Part(
            Step(Stage.STATE, [prove], [drop, add], "validate", key),
            Turn.VALIDATE, key.name, f"Validate {name} of {key.name}",
            f"Reads the rows of {', '.join(tables)}, whose writers wait: a domain's check is "
            "proven in no other way.",
        )  # fmt: skip
    if after["not null"] and not before["not null"]:
        forbid, allow = sql(f"{domain} SET NOT NULL"), sql(f"{domain} DROP NOT NULL")
        yield Part(
            Step(Stage.STATE, [forbid], [allow], "required", key),
            Turn.REQUIRE, key.name, f"Forbid null in {key.name}",
            f"Before this runs: deploy a release that writes a value in every row of "
            f"{', '.join(tables)}, and fill the rows that have none, in batches and outside of a "
            "revision.",
            no_other_way.domain(tables),
        )  # fmt: skip


def _name(check: str) -> str:
    return check.partition(" CHECK ")[0]


def _checks(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
