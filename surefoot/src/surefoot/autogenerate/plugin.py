"""The plugin `surefoot.objects`: registers the comparators with Alembic.

The functions are imported when they are called. Every command asks for the options of autogenerate,
and `alembic upgrade` compares nothing.
"""

from collections.abc import Callable, Collection, Iterable
from functools import cache
from importlib import import_module
from typing import Any

from alembic.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority

from surefoot.autogenerate.revision_text import RevisionTexts
from surefoot.quoting import IN_STEP
from surefoot.version_table import VersionTable

NAME = "surefoot.objects"
EXCLUDE = "surefoot_exclude"
MANAGES = "surefoot_manages"
# The options of the project itself, before they are composed.
PROJECT = "surefoot_project"
# The project, and a way to its targets: what Style needs.
STYLE = "surefoot_style"
# Where a hook after the run finds the texts, in the attributes of Alembic's Config.
TEXTS = "surefoot_texts"
ALEMBICS = "alembic.autogenerate.*"
_HOOKS = "surefoot.autogenerate.hooks"
_ASKED_BY_ALEMBIC = (
    "schema", "column", "index", "unique_constraint", "foreign_key_constraint",
)  # fmt: skip


def configure_options(
    exclude: Iterable[str] = (),
    version_table: VersionTable = VersionTable(),
    manages: Collection[str] = (),
) -> dict[str, Any]:
    """The arguments for `context.configure`, for every command.

    `exclude` names tables that neither models nor revisions own, besides the bookkeeping;
    `manages` the kinds of object of which the models are the whole truth.
    """
    register()
    excluded = frozenset((*version_table.relations, *exclude))

    def is_included(name: str | None, kind: str, *_: object) -> bool:
        if kind == "table":
            return name not in excluded
        if kind in _ASKED_BY_ALEMBIC:
            return True
        # Another plugin compares functions and triggers too: `schema.name(arguments)`.
        own = (name or "").partition("(")[0].rpartition(".")[2]
        return f"{own}()" not in excluded and not own.startswith(IN_STEP)

    def is_object_included(found: object, name: str | None, kind: str, *_: object) -> bool:
        on = str(getattr(found, "on_entity", None) or "").rpartition(".")[2]
        return on not in excluded and is_included(name, kind)

    return {
        # Alembic's comparison of checks by name stays off: ours compares conditions.
        "autogenerate_plugins": [NAME],
        "compare_type": True,
        "compare_server_default": True,
        "include_name": is_included,
        "include_object": is_object_included,
        "process_revision_directives": _later("process_revision_directives"),
        "template_args": {"page": RevisionTexts()},
        EXCLUDE: excluded,
        MANAGES: tuple(manages),
        PROJECT: {},
    }


@cache
def register() -> None:
    plugin = Plugin(NAME)

    def add(name: str, target: str, group: str, priority: DispatchPriority) -> None:
        plugin.add_autogenerate_comparator(
            _later(name), target, group, qualifier="postgresql", priority=priority
        )

    add("begin", "autogenerate", "surefoot", DispatchPriority.FIRST)
    add("end", "autogenerate", "surefoot", DispatchPriority.LAST)
    # In the group of Alembic's own comparator, which does not run where this returns STOP.
    add("compare_tables", "schema", "tables", DispatchPriority.FIRST)


def _later(name: str) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        return getattr(import_module(_HOOKS), name)(*arguments)

    return call


def texts_of(context: MigrationContext) -> RevisionTexts:
    """The texts of the run, for its template and for the hook after it."""
    texts: RevisionTexts = context.opts["template_args"]["page"]
    if context.config is not None:
        context.config.attributes[TEXTS] = texts
    return texts
