"""The options of `context.configure` that join the project's own with Surefoot's.

Of two callables for one question the project's is asked first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alembic.util import to_list

from surefoot.autogenerate import ALEMBICS, PROJECT, STYLE, configure_options
from surefoot.environment.options import treatment
from surefoot.project import Project

if TYPE_CHECKING:
    from surefoot.environment.environment import Environment

# These decide what autogenerate compares; the commands that write a schema have no use for them.
_COMPARES = frozenset({
    "autogenerate_plugins", "compare_server_default", "compare_type", "downgrade_token",
    "include_name", "include_object", "include_schemas", "process_revision_directives",
    "render_item", "template_args", "upgrade_token", "user_module_prefix",
})  # fmt: skip
_FILTERS = ("include_name", "include_object")
_OFFLINE = frozenset({"dialect_opts", "output_buffer", "output_encoding"})


def shared(environment: Environment, project: Project) -> dict[str, Any]:
    """The options for every command. On failure: ModelsNotImportable."""
    models = project.models()
    apart = _COMPARES | _OFFLINE | {"on_version_apply"}
    return {
        "target_metadata": models[0] if len(models) == 1 else list(models) or None,
        "version_table": project.version_table.name,
        "version_table_schema": project.version_table.schema,
        "transaction_per_migration": True,
        **{name: value for name, value in _heard(environment).items() if name not in apart},
    }


def written(environment: Environment) -> dict[str, Any]:
    """The further options of `--sql`."""
    given = _heard(environment)
    return {"literal_binds": True, **{name: given[name] for name in _OFFLINE & {*given}}}


def applied(environment: Environment, ours: Callable[..., None]) -> tuple[Callable[..., None], ...]:
    """The callbacks after each revision, in its transaction: the project's, then the ledger's."""
    return (*to_list(_heard(environment).get("on_version_apply"), []), ours)


def filters(environment: Environment) -> Mapping[str, Any]:
    """The options of the project that decide what is compared."""
    given = {name: each for name, each in _heard(environment).items() if name in _COMPARES}
    for name in _FILTERS:
        asked = [each for each in (given.get(name), getattr(environment, name)) if each]
        if asked:
            given[name] = _all(asked)
    return given


def compared(environment: Environment, project: Project) -> dict[str, Any]:
    """The options for the commands that compare models with a database."""
    ours = configure_options(environment.exclude, project.version_table, project.manages)
    given = {**project.filters}
    asked = {name: [given.pop(name)] if name in given else [] for name in _FILTERS}
    if project.schemas:
        # Alembic calls the schema that new objects get None.
        named = (None, *project.schemas)
        asked["include_name"].append(lambda name, kind, _: kind != "schema" or name in named)
        given.setdefault("include_schemas", True)
    hooks = to_list(given.pop("process_revision_directives", None), [])
    return {
        **ours,
        STYLE: (project, environment.connected),
        **given,
        **{name: _all([*asked[name], ours[name]]) for name in _FILTERS},
        "autogenerate_plugins": [
            *given.get("autogenerate_plugins", [ALEMBICS]),
            *ours["autogenerate_plugins"],
        ],
        "template_args": {**given.get("template_args", {}), **ours["template_args"]},
        PROJECT: {
            **given,
            **{name: _all(each) for name, each in asked.items() if each},
            "process_revision_directives": hooks,
        },
    }


def _heard(environment: Environment) -> Mapping[str, Any]:
    """The options of the project but for those that only repeat what is so in any case."""
    return {
        name: value
        for name, value in environment.options.items()
        if value is not None and treatment(name).word != "refused"
    }


def _all(asked: Sequence[Callable[..., bool]]) -> Callable[..., bool]:
    return lambda *arguments: all(each(*arguments) for each in asked)
