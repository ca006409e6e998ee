"""Style decides the form in which each table in use is changed: plain or online.

    alembic -x style=plain revision --autogenerate …     auto or plain
    alembic -x ask=production revision --autogenerate …  a target whose tables are counted

Without these, [tool.surefoot] of the pyproject.toml beside the ini file has `autogenerate` and
`ask`. Its `postgres` is the oldest major version of a server that the revisions are for. `plain`
writes all that fits one transaction into one revision. `auto`, the default, writes plain
statements for a table that is known to be small, and online steps for any other.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from alembic.migration import MigrationContext

from surefoot.autogenerate.change import Change, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.swappable import columns_of, is_foreign_key, is_rewritten
from surefoot.autogenerate.table_sizes import SMALL_ROWS, Connected, rows_of, unreleased
from surefoot.catalog import Key
from surefoot.catalog.kinds import Constraint, Table
from surefoot.errors import UsageError
from surefoot.frozen import dataclass
from surefoot.linting.settings import LintSettings
from surefoot.project import Project, read_tool
from surefoot.quoting import shown
from surefoot.wording import counted

WORDS = ("auto", "plain")
_Value = TypeVar("_Value", str, list[str], int)
# The turns of steps that the plain form does not have.
_ONLINE = (*range(Turn.BEFORE, Turn.MAIN), *range(Turn.REWRITE, Turn.CONTRACT))


@dataclass(frozen=True)
class Form:
    """The form of the changes of one table, with the reason."""

    is_plain: bool
    why: str

    def said_of(self, names: Iterable[str]) -> str:
        """The sentence in the file, which `allowances` reads."""
        word = "Plain" if self.is_plain else "Online"
        return f"{word} form of {', '.join(sorted(names))}: {self.why}."


@dataclass(frozen=True)
class Style:
    """The style of one project, and a way to its targets."""

    project: Project
    connected: Connected

    def applied(
        self, context: MigrationContext, comparison: Comparison, renamed: Collection[str]
    ) -> tuple[Comparison, Mapping[str, Form]]:
        """The comparison with the tables that are changed plainly, and the form of each table.

        The targets have the tables in `renamed` under another name. On failure: UsageError,
        TargetUnknown.
        """
        oldest = self._setting("postgres", comparison.major)
        comparison = replace(comparison, major=min(oldest, comparison.major))
        tables = _changed(comparison)
        if (why := self._who_asked(context)) is not None:
            return comparison.plainly(), dict.fromkeys(tables, Form(True, why))
        forms = self._forms(context, tables & comparison.kept_tables, renamed)
        forms = _of_keys(forms, comparison)
        plain = frozenset(table for table, form in forms.items() if form.is_plain)
        return replace(comparison, plain=plain), forms

    def _who_asked(self, context: MigrationContext) -> str | None:
        """Who asked for the plain form of all tables."""
        asked = given(context, "style")
        word = asked[-1] if asked else self._setting("autogenerate", "auto")
        if word not in WORDS:
            raise UsageError(f"there is no style {word!r}", help=f"it is {' or '.join(WORDS)}")
        if word == "auto":
            return None
        return "-x style=plain" if asked else 'autogenerate = "plain" in pyproject.toml'

    def _forms(
        self, context: MigrationContext, tables: frozenset[str], renamed: Collection[str]
    ) -> Mapping[str, Form]:
        if not tables:
            return {}
        named = LintSettings.read(self.project.ini.parent).small_tables
        fresh, branch = unreleased(self.project)
        small = {each for each in tables if shown(each) in named}
        found = dict.fromkeys(small, Form(True, "small-tables names it"))
        why = f"{branch} does not have the revision that creates it"
        found |= dict.fromkeys(fresh & tables - {*found}, Form(True, why))
        other = Form(False, "it is renamed or moved, and its rows were not counted")
        found |= dict.fromkeys(tables.intersection(renamed) - {*found}, other)
        asked = list(dict.fromkeys(given(context, "ask") or self._setting("ask", [])))
        rest = sorted(tables - {*found})
        counts = {name: rows_of(name, self.connected, rest) for name in asked} if rest else {}
        return {**found, **{table: _form(table, counts) for table in rest}}

    def _setting(self, name: str, default: _Value) -> _Value:
        try:
            found = read_tool(self.project.ini.parent / "pyproject.toml", "surefoot")
        except (OSError, ValueError) as error:
            raise UsageError(f"pyproject.toml cannot be read: {error}") from None
        value = found.get(name, default)
        if type(value) is not type(default):
            raise UsageError(f"{name} in [tool.surefoot] of pyproject.toml is {value!r}")
        checked: _Value = value
        return checked


def given(context: MigrationContext, name: str) -> Sequence[str]:
    """The values of `alembic -x NAME=VALUE …`."""
    options = context.config.cmd_opts if context.config is not None else None
    found: Sequence[str] = getattr(options, "x", None) or ()
    return [each.removeprefix(f"{name}=") for each in found if each.startswith(f"{name}=")]


def said(
    planned: Iterable[Collection[Change]], forms: Mapping[str, Form], comparison: Comparison
) -> Iterator[Iterable[str]]:
    """For each revision the sentences about the form of its tables, and of domains in them.

    Online forms are told where they differ from the plain one.
    """
    plans = [[(change, {*_tables(change.key, comparison)}) for change in each] for each in planned]
    stepwise = {
        table
        for each in plans
        for change, tables in each
        if change.turn in _ONLINE or change.action in ("swapped", "unbuild")
        for table in tables
    }
    sequences = {key.name for key in comparison.database.objects if key.kind == "sequence"}
    for each in plans:
        of: dict[Form, set[str]] = {}
        for change, tables in each:
            domain = {f"the domain {change.key.name}"} if change.key.kind == "domain" else set()
            for table in sorted(tables & {*forms}):
                if forms[table].is_plain or table in stepwise:
                    heirs = {*_heirs(table, comparison)}
                    called = f"{'the sequence ' if table in sequences else ''}{table}"
                    of.setdefault(forms[table], set()).update({called} | heirs | domain)
        yield [form.said_of(names) for form, names in of.items()]


def _heirs(table: str, comparison: Comparison) -> Iterator[str]:
    """The tables that inherit from a table, and are locked with it."""
    for key, _ in comparison.database.each(Table):
        if table in comparison.database.parents(key.name):
            yield from (key.name, *_heirs(key.name, comparison))


def _changed(comparison: Comparison) -> frozenset[str]:
    """The tables of the database on which, or on whose types, an object differs; sequences too."""
    database, models = comparison.database, comparison.models
    keys = {key for key, _ in database.objects.items() ^ models.objects.items()}
    keys |= comparison.users_of(*keys)
    found = frozenset(table for key in keys for table in _tables(key, comparison))
    sequences = {key.name for key in database.objects if key.kind == "sequence"}
    return found & (comparison.kept_tables | comparison.gone_tables | sequences)


def _tables(key: Key, comparison: Comparison) -> Iterator[str]:
    """The table of an object; of a type those of its columns."""
    if key.kind in ("enum", "domain", "type"):
        users = comparison.users_of(key)
        yield from {each.name.rpartition(".")[0] for each in users if each.kind == "column"}
        return
    if key.kind == "materialized view":  # it reads them as it is created
        uses = comparison.models.needs(key)
        yield from {each.name for each in uses if each.kind == "table"}
        yield from {each.name.rpartition(".")[0] for each in uses if each.kind == "column"}
    yield comparison.table_of(key) or key.name


def _of_keys(forms: Mapping[str, Form], comparison: Comparison) -> Mapping[str, Form]:
    """The forms, where the tables of a key whose type changes are all changed online if one is.

    The second column of the large table could refer to no column of a plain one.
    """
    found = dict(forms)
    keys = [{*_ends(key, comparison)} & {*forms} for key, _ in comparison.database.each(Constraint)]
    online = [table for table, form in forms.items() if not form.is_plain]
    for other in online:
        for table in sorted(set().union(*(tables for tables in keys if other in tables))):
            if found[table].is_plain:
                found[table] = Form(False, f"its key changes together with that of {shown(other)}")
                online.append(table)
    return found


def _ends(key: Key, comparison: Comparison) -> Iterator[str]:
    """The tables of a foreign key, if a column of it gets a type that rewrites its table."""
    item = comparison.database.objects[key]
    columns = columns_of(comparison, key)
    kept = (each for each in columns if each in comparison.models.objects)
    if is_foreign_key(item) and any(is_rewritten(comparison, each) for each in kept):
        yield from (comparison.table_of(each) or "" for each in columns)


def _form(table: str, counts: Mapping[str, Mapping[str, int | None]]) -> Form:
    if not counts:
        return Form(False, "it is not known to be small, and no database was asked for its rows")
    for name, found in counts.items():
        rows = found.get(table)
        if rows is None:
            return Form(False, f"{name} does not tell how many rows it has")
        if rows >= SMALL_ROWS:
            return Form(False, f"{name} has {counted(SMALL_ROWS, 'row')} of it or more")
    return Form(True, f"fewer than {counted(SMALL_ROWS, 'row')} in {' and '.join(counts)}")
