"""A safe form as the steps that autogenerate plans for the same change of a schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import wrap

from alembic.autogenerate import render_python_code
from alembic.operations import ops

from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.objects import with_diff
from surefoot.autogenerate.planner import RevisionPlan, changes_between, plan
from surefoot.autogenerate.rendering import offline
from surefoot.autogenerate.revision_text import body, string_tokens
from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import table_of
from surefoot.differences.repair import bare, toward
from surefoot.frozen import dataclass

_WIDTH = 92


@dataclass(frozen=True)
class Step:
    """One revision: what it does and what takes it back, as lines of Python."""

    title: str
    about: tuple[str, ...]
    phase: str
    upgrade: str
    downgrade: str

    @property
    def is_concurrent(self) -> bool:
        """Whether it has to be alone in its revision."""
        return "_concurrently(" in self.upgrade


@dataclass(frozen=True)
class SafeForm:
    """The steps for one object, between the same schemas."""

    key: Key
    steps: Sequence[Step]
    is_dropped: bool
    # Of the schema after the revision.
    fingerprint: str

    @property
    def name(self) -> str:
        """The object without its table."""
        return self.key.name.rpartition(".")[2]

    def render(self) -> str:
        """The steps as one text to paste from."""
        count, lines = len(self.steps), []
        for number, step in enumerate(self.steps, 1):
            said = [f"{number} of {count}: {step.title}"] if count > 1 else []
            lines += [f"# {row}" for text in (*said, *step.about) for row in wrap(text, _WIDTH)]
            lines.append(step.upgrade)
        return "\n".join(lines)


def without(change: Key, before: Catalog, after: Catalog) -> Catalog:
    """The schema after a revision with one object as it was before."""
    return toward(bare(after), bare(before), {change})


def safe_form(
    before: Catalog, changed: Catalog, key: Key, major: int, temporary: Catalog | None = None
) -> SafeForm | None:
    """The revisions that change one object in short steps; None where there is no such plan.

    The catalogs are those around the revision that changes it at once; `temporary` is the second
    one with a retyped column under its temporary name.
    """
    found, after = without(key, before, changed), bare(changed)
    if key not in {*found.objects, *after.objects}:
        return None
    comparison = Comparison(found, after, major=major)
    if temporary is not None:
        comparison = replace(comparison, temporary=bare(temporary))
    old, item = found.objects.get(key), after.objects.get(key)
    if item is not None and old is None and after.users_of(key):
        return None  # they come along with a new column
    if not comparison.is_in_use(table_of(item or old) or ""):
        return None
    comparison = with_diff(comparison)
    planned = plan(changes_between(comparison), comparison)
    if not all(each.is_online for each in planned):
        return None  # it cannot keep every rule either
    made = [*map(_step, planned)]
    dropped = key not in after.objects
    return SafeForm(key, made, dropped, changed.fingerprint()) if made else None


def _step(planned: RevisionPlan) -> Step:
    up = ops.UpgradeOps(list(planned.changes))
    title = planned.title or "this revision"
    return Step(title, planned.about, planned.phase, _code(up), _code(up.reverse()))


def _code(operations: ops.UpgradeOps | ops.DowngradeOps) -> str:
    rendered = render_python_code(operations, migration_context=offline())
    lines = (line.removeprefix("    ") for line in body(rendered).split("\n"))
    return _double_quoted("\n".join(lines))


def _double_quoted(code: str) -> str:
    """The code with strings in the quotes that formatters of Python prefer."""
    for start, end, text in reversed(list(string_tokens(code))):
        if text[0] == "'" and not {'"', "\\", "\n"}.intersection(text):
            code = f'{code[:start]}"{text[1:-1]}"{code[end:]}'
    return code
