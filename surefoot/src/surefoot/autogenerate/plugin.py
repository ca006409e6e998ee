"""The plugin `vegafs.objects`: which of our functions Alembic calls, and when.

The functions are imported when they are called. Every command asks for the options of autogenerate,
and `alembic upgrade` compares nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority

from surefoot.chain.version_table import VersionTable

NAME = "vegafs.objects"
EXCLUDE = "vegafs_exclude"
_COMPARATORS = "surefoot.autogenerate.comparators"


def configure_options(
    exclude: Iterable[str] = (), version_table: VersionTable = VersionTable()
) -> dict[str, Any]:
    """What `context.configure` is given, for every command.

    `exclude` names tables that are no model's and no revision's; the bookkeeping is known.
    """
    register()
    excluded = frozenset((*version_table.relations, *exclude))

    def include_name(name: str | None, kind: str, parents: object) -> bool:
        return kind != "table" or name not in excluded

    def include_object(item: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name not in excluded

    return {
        # Alembic's checks by name stay off: ours compare their conditions.
        "autogenerate_plugins": ["alembic.autogenerate.*", NAME],
        "compare_type": True,
        "compare_server_default": True,
        "include_name": include_name,
        "include_object": include_object,
        "render_item": _later("render_item"),
        "process_revision_directives": _later("process_revision_directives"),
        "template_args": {"page": _LazyTexts()},
        EXCLUDE: excluded,
    }


@cache
def register() -> None:
    """Make the plugin known to Alembic, once in a process."""
    plugin = Plugin(NAME)

    def add(name: str, target: str, group: str, priority: DispatchPriority) -> None:
        plugin.add_autogenerate_comparator(
            _later(name), target, group, qualifier="postgresql", priority=priority
        )

    add("begin", "autogenerate", "vegafs", DispatchPriority.FIRST)
    add("end", "autogenerate", "vegafs", DispatchPriority.LAST)
    # In the groups of Alembic's own: what answers here stops those.
    add("compare_type", "column", "types", DispatchPriority.FIRST)
    add("compare_nullable", "column", "nullable", DispatchPriority.FIRST)
    add("compare_default", "column", "server_default", DispatchPriority.FIRST)


def _later(name: str) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        return getattr(import_module(_COMPARATORS), name)(*arguments)

    return call


class _LazyTexts:
    """What a template asks: a RevisionTexts of its own for each run, made at the first question."""

    def __getattr__(self, name: str) -> Any:
        texts = import_module(_COMPARATORS).RevisionTexts()
        vars(self).update({each: getattr(texts, each) for each in dir(texts) if each[0] != "_"})
        return getattr(texts, name)
