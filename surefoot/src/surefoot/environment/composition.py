"""The options of `context.configure` that join the project's own with Surefoot's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from surefoot.autogenerate import configure_options
from surefoot.project import Project

if TYPE_CHECKING:
    from surefoot.environment.environment import Environment


def compared(environment: Environment, project: Project) -> dict[str, Any]:
    """The options of `context.configure` for the commands that compare models with a database."""
    ours = configure_options(environment.exclude, project.version_table, project.manages)
    if project.schemas:
        # Alembic calls the schema that new objects get None.
        named = (None, *project.schemas)
        ours["include_schemas"] = True
        ours["include_name"] = _both(
            ours["include_name"], lambda name, kind, _: kind != "schema" or name in named
        )
    given = {**ours, **environment.options}
    for name in ("include_name", "include_object"):
        theirs = getattr(environment, name)
        if theirs is not None:
            given[name] = _both(given[name], theirs)
    return given


def _both(one: Callable[..., bool], other: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *arguments: one(*arguments) and other(*arguments)
