"""Everything but tables and columns: what is dropped first, made last, and changed in place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from alembic.operations import MigrateOperation

from surefoot.autogenerate import grants, wording
from surefoot.autogenerate.changes import AFTER_TABLES, ROUTINES, VIEWS, Changes
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.domains import redefined
from surefoot.autogenerate.steps import Note, Stage, Step, sql
from surefoot.catalog import Attributes, Catalog, Key, alterations, statements
from surefoot.catalog.order import in_order


def object_steps(comparison: Comparison, changes: Changes) -> list[Step]:
    """The steps of all objects, each in its stage and there in an order that holds."""
    found, expected = comparison.database, comparison.models
    steps = [
        _drop(comparison, changes, key)
        for key in reversed(in_order(changes.removed | changes.anew, found.uses))
    ]
    steps += [
        _create(comparison, key) for key in in_order(changes.added | changes.anew, expected.uses)
    ]
    for key in in_order(changes.in_place, expected.uses):
        steps += _in_place(comparison, key)
    return steps


def needs_tables(catalog: Catalog, key: Key) -> bool:
    """Whether an object is made after the tables.

    A function is where it says the name of one, unless a table needs it.
    """
    if key.kind not in ROUTINES:
        return key.kind in AFTER_TABLES
    users = {user.kind for user in catalog.users_of(key)}
    if users & {"column", "constraint", "index", "domain"}:
        return False
    words = set(re.findall(r"\w+", str(catalog.objects[key]["definition"])))
    tables = {each.name for each, _ in catalog.of_kind("table", *VIEWS)}
    return bool(words & tables) or any(
        used.kind in ("table", "column", *VIEWS) for used in catalog.uses.get(key, ())
    )


def _drop(comparison: Comparison, changes: Changes, key: Key) -> Step:
    attributes = comparison.database.objects[key]
    late = needs_tables(comparison.database, key) or key in changes.anew
    back = wording.create(key, attributes)
    # A table takes these along; what it does not bring back is made after it.
    gone = (
        attributes.get("table") in comparison.gone_tables
        and key.kind != "trigger"
        and attributes.get("type") != "foreign key"
    )
    return Step(
        Stage.DROP if late else Stage.CLEAN,
        [] if gone else wording.drop(key, attributes),
        back,
        _word("drop", comparison, key),
        key,
    )


def _create(comparison: Comparison, key: Key) -> Step:
    attributes = comparison.models.objects[key]
    lost = comparison.grants.get(key)
    return Step(
        Stage.CREATE if needs_tables(comparison.models, key) else Stage.TYPES,
        [
            *wording.create(key, attributes, comparison.declared),
            *([Note(grants.words(lost))] if lost else []),
        ],
        wording.drop(key, attributes),
        _word("make", comparison, key),
        key,
    )


def _word(word: str, comparison: Comparison, key: Key) -> str:
    """An object that both have, and that does not differ, is only put aside and back."""
    both = key in comparison.followed and key in comparison.models.objects
    return "remake" if both and not changed(comparison, key) else word


def _in_place(comparison: Comparison, key: Key) -> list[Step]:
    found, expected = comparison.followed[key], comparison.models.objects[key]
    different = changed(comparison, key)
    steps = []

    def step(
        stage: Stage,
        do: Sequence[MigrateOperation],
        undo: Sequence[MigrateOperation],
        word: str = "change",
    ) -> None:
        steps.append(Step(stage, do, undo, word, key))

    if different & {"definition", "columns", "options", "language"}:
        stage = Stage.CREATE if needs_tables(comparison.models, key) else Stage.TYPES
        change = _REPLACE[key.kind]
        step(stage, change(key, found, expected), change(key, expected, found))
    if "validated" in different:
        step(Stage.STATE, *_validation(key, found, expected), "validate")
    if "enabled" in different:
        enable = statements.enable_trigger
        step(Stage.STATE, [sql(enable(expected))], [sql(enable(found))])
    if "owned by" in different:
        step(Stage.STATE, [sql(alterations.own(expected))], [sql(alterations.own(found))])
    if key.kind == "domain" and different - {"comment"}:
        step(Stage.TYPES, redefined(found, expected), redefined(expected, found))
    if "comment" in different:
        words = (statements.comment(key, attributes) for attributes in (expected, found))
        do, undo = ([sql(each)] for each in words)
        step(Stage.STATE, do, undo, "comment")
    return steps


def _replace_view(key: Key, before: Attributes, after: Attributes) -> list[MigrateOperation]:
    made = statements.create(key, after)[0]
    if len(after["columns"] or ()) < len(before["columns"] or ()):  # type: ignore[arg-type]  # tuples
        return [sql(statements.drop(key, before)), sql(made)]
    return [sql(made.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))]


def _replace_routine(key: Key, before: Attributes, after: Attributes) -> list[MigrateOperation]:
    return [sql(str(after["definition"]))]


def _alter_sequence(key: Key, before: Attributes, after: Attributes) -> list[MigrateOperation]:
    return [sql(alterations.sequence(after))]


_REPLACE: Mapping[str, Callable[[Key, Attributes, Attributes], list[MigrateOperation]]] = {
    "view": _replace_view,
    "function": _replace_routine,
    "procedure": _replace_routine,
    "sequence": _alter_sequence,
}


def _validation(
    key: Key, found: Attributes, expected: Attributes
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """A constraint is validated in place; to be NOT VALID again it has to be made anew."""
    validate: list[MigrateOperation] = [sql(statements.validate(expected))]

    def remake(was: Attributes, becomes: Attributes) -> list[MigrateOperation]:
        return [*wording.drop(key, was), *wording.create(key, becomes)]

    if expected["validated"]:
        return validate, remake(expected, found)
    return remake(found, expected), validate
