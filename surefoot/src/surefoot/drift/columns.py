"""How a column is added again, and brought back where it stands."""

from __future__ import annotations

from surefoot.catalog import Attributes, Catalog, Key, alterations
from surefoot.catalog.order import in_order
from surefoot.catalog.statements import quoted
from surefoot.drift import forms, relations

# PostgreSQL changes no type under these; the rest it makes anew by itself.
_IN_THE_WAY = frozenset({"view", "materialized view", "rule", "trigger", "policy"})
_GOES_ALONG = frozenset({"index", "constraint", "statistics"})


def added(attributes: Attributes) -> tuple[list[str], str | None]:
    """The statements that add a column, and what to know before."""
    add = f"ALTER TABLE {quoted(attributes['table'])} ADD COLUMN"
    filled = any(attributes[name] is not None for name in ("default", "generated", "identity"))
    note = None if filled else "its values do not come back"
    if filled or not attributes["not null"]:
        return [f"{add} {forms.column_words(attributes)}"], note
    nullable = forms.column_words({**attributes, "not null": False})
    note = "its values do not come back: fill it before it is required"
    return [f"{add} {nullable}", *forms.not_null(attributes)], note


def changed(key: Key, expected: Catalog, found: Catalog, names: frozenset[str]) -> list[str] | None:
    """The statements that bring a column back, in an order that holds."""
    before, after = found.objects[key], expected.objects[key]
    if "generated" in names and not _becomes_ordinary(before, after):
        return _made_anew(key, expected, found)
    alter = f"ALTER TABLE {quoted(after['table'])} ALTER COLUMN {quoted(after['name'])}"
    sql: list[str] = []
    if "generated" in names:
        sql.append(f"{alter} DROP EXPRESSION")
    # An identity goes before a default comes, and comes after one went.
    identity = alterations.identity(str(after["table"]), str(after["name"]), before, after)
    if "identity" in names and after["identity"] is None:
        sql += identity
    if names & {"type", "collation"}:
        sql += _retyped(key, expected, found)
    elif "default" in names:
        sql.append(_default(alter, after))
    if "identity" in names and after["identity"] is not None:
        sql += identity
    if "not null" in names:
        sql += forms.not_null(after) if after["not null"] else [f"{alter} DROP NOT NULL"]
    return [*sql, *relations.column(before, after)]


def _becomes_ordinary(before: Attributes, after: Attributes) -> bool:
    return after["generated"] is None and str(before["generated"]).endswith(" STORED")


def _default(alter: str, after: Attributes) -> str:
    default = after["default"]
    return f"{alter} DROP DEFAULT" if default is None else f"{alter} SET DEFAULT {default}"


def _retyped(key: Key, expected: Catalog, found: Catalog) -> list[str]:
    """A default stands in the way of a type that it is not cast to; so do views and triggers."""
    before, after = found.objects[key], expected.objects[key]
    users = [each for each in found.users_of(key) if each.kind in _IN_THE_WAY]
    name = quoted(after["name"])
    alter = f"ALTER TABLE {quoted(after['table'])} ALTER COLUMN {name}"
    collation = "" if after["collation"] is None else f" COLLATE {after['collation']}"
    return [
        *_gone(users, found),
        *([f"{alter} DROP DEFAULT"] if before["default"] is not None else []),
        f"{alter} TYPE {after['type']}{collation} USING {name}::{after['type']}",
        *([_default(alter, after)] if after["default"] is not None else []),
        *_back(users, expected, found),
    ]


def _made_anew(key: Key, expected: Catalog, found: Catalog) -> list[str] | None:
    """A generated column: dropped and added, with the indexes, keys and views on it."""
    users = found.users_of(key) | expected.users_of(key)
    if any(each.kind in ("table", "column") for each in users):
        return None
    there = [each for each in users if each in found.objects]
    return [
        *_gone([each for each in there if each.kind not in _GOES_ALONG], found),
        *forms.unmake(key, found),
        *added(expected.objects[key])[0],
        *relations.settings(key, expected),
        *_back(there, expected, found),
    ]


def _gone(keys: list[Key], found: Catalog) -> list[str]:
    ordered = reversed(in_order(keys, found.uses))
    return [statement for each in ordered for statement in forms.unmake(each, found)]


def _back(keys: list[Key], expected: Catalog, found: Catalog) -> list[str]:
    return [
        statement
        for each in in_order(keys, expected.uses)
        for statement in forms.make(each, expected if each in expected.objects else found)
    ]
