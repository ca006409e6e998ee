"""The options of `context.configure`: for each, whether Environment hears, composes or refuses it.

Alembic has one callable for each question. Where Surefoot has one too, both are asked: the
project's first, then Surefoot's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from surefoot.errors import ConfigurationInvalid
from surefoot.frozen import dataclass

_UNKNOWN = object()


@dataclass(frozen=True)
class Treatment:
    """An option is heard as it is, composed with Surefoot's own part, or refused.

    A refused one stops every command that has something to do.
    """

    word: Literal["heard", "composed", "refused"]
    # How it is used, or why it is refused and what happens instead.
    note: str
    # The argument of Environment that takes it; None where `options` does.
    argument: str | None = None
    # Of a refused one, the value that changes nothing and is accepted.
    accepted: Any = _UNKNOWN

    def __str__(self) -> str:
        """Such as `refused: a batch is for SQLite, …`, for a listing."""
        return f"{self.word}: {self.note}"


def treatment(name: str, value: object = _UNKNOWN) -> Treatment:
    """The treatment of an option; of one that only another value refuses, by its value."""
    found = _TREATMENTS.get(name, _OURS if name.startswith("surefoot_") else _OTHERS)
    is_accepted = value is None or (value is not _UNKNOWN and value == found.accepted)
    if found.word == "refused" and is_accepted:
        return Treatment("heard", "it is so in any case")
    return found


def refuse(options: Mapping[str, Any]) -> None:
    """On failure: ConfigurationInvalid for the first of these options that is refused."""
    for name, value in options.items():
        found = treatment(name, value)
        where = f"Environment(options={{{name!r}: …}})"
        if found.argument and name not in _IN_BOTH:
            raise ConfigurationInvalid(where, f"give it as Environment({found.argument}=…)")
        if found.word == "refused":
            raise ConfigurationInvalid(where, found.note)
        if name == "template_args" and "page" in (value or ()):
            raise ConfigurationInvalid(where, f"page: {_OURS.note}")


def _refused(note: str, accepted: Any = _UNKNOWN) -> Treatment:
    return Treatment("refused", note, accepted=accepted)


_IN_BOTH = ("include_name", "include_object")
_COMMANDS = _refused("the Alembic command sets it; leave it out")
_CONNECTION = _refused(
    "the environment connects by itself; name a database in Environment(database=…) or an engine "
    "in Environment(engine=…)"
)
_PREFIX = "revisions are written with `op.` and `sa.`, which their template imports; leave it out"
_OTHER_SERVER = _refused("it is for another database than PostgreSQL; leave it out")
_OURS = _refused("Surefoot uses this name itself; choose another one")
# A name that Alembic does not know.
_OTHERS = Treatment("heard", "passed on; Alembic keeps it in `context.get_context().opts`")
_TREATMENTS: Mapping[str, Treatment] = {
    # Fields of Environment.
    "target_metadata": Treatment("heard", "the models", "metadata"),
    "version_table": Treatment("heard", "the ledger is beside it", "version_table"),
    "version_table_schema": Treatment(
        "heard", "the ledger is in the same schema", "version_table_schema"
    ),
    # Autogenerate and `alembic check`.
    "include_name": Treatment(
        "composed",
        "it decides; the version table, the ledger and `exclude` are left out in any case",
        "include_name",
    ),
    "include_object": Treatment(
        "composed",
        "it decides; the version table, the ledger and `exclude` are left out in any case",
        "include_object",
    ),
    "include_schemas": Treatment(
        "heard", "the other schemas are compared too; `schemas` names those of the application"
    ),
    "process_revision_directives": Treatment(
        "composed",
        "one, or a list in its order; they see one revision, and Surefoot divides it afterwards",
    ),
    "compare_type": Treatment(
        "composed",
        "False leaves the types of columns alone; a function is asked where PostgreSQL's types "
        "differ, and its None leaves it to them",
    ),
    "compare_server_default": Treatment(
        "composed",
        "False leaves the defaults of columns alone; a function is asked where PostgreSQL's "
        "defaults differ, and its None leaves it to them",
    ),
    "render_item": Treatment(
        "composed",
        "its text for the type of a column is written, and PostgreSQL's type where it gives False; "
        "it is asked for other items where Alembic renders them: in operations of a hook",
    ),
    "user_module_prefix": Treatment(
        "heard",
        "in operations that Alembic renders; those of Surefoot name PostgreSQL's types and no "
        "module of the project",
    ),
    "autogenerate_plugins": Treatment("composed", "they run, and Surefoot's after them"),
    "template_args": Treatment("composed", "the template has them beside Surefoot's `page`"),
    "upgrade_token": Treatment("heard", "for a template of the project's own"),
    "downgrade_token": Treatment("heard", "for a template of the project's own"),
    "render_as_batch": _refused(
        "a batch is for SQLite, and revisions are for PostgreSQL, where it changes nothing; leave "
        "it out",
        accepted=False,
    ),
    "alembic_module_prefix": _refused(_PREFIX, accepted="op."),
    "sqlalchemy_module_prefix": _refused(_PREFIX, accepted="sa."),
    "include_symbol": _refused("Alembic has removed it; use include_object"),
    # Running.
    "on_version_apply": Treatment(
        "composed", "one, or several in their order, in the revision's transaction; the ledger last"
    ),
    "version_table_pk": Treatment("heard", "where the version table is created"),
    "tag": Treatment("heard", "as `--tag`"),
    "transaction_per_migration": _refused(
        "each revision has a transaction of its own; leave it out", accepted=True
    ),
    "transactional_ddl": _refused(
        "each revision has a transaction of its own; leave it out", accepted=True
    ),
    # `--sql`.
    "dialect_opts": Treatment("heard", "for `--sql`"),
    "output_buffer": Treatment("heard", "for `--sql`"),
    "output_encoding": Treatment("heard", "for `--sql`"),
    "literal_binds": _refused(
        "`--sql` writes values as literals, because psql runs the script; leave it out",
        accepted=True,
    ),
    "connection": _CONNECTION,
    "url": _CONNECTION,
    "dialect_name": _CONNECTION,
    **dict.fromkeys(
        ("as_sql", "destination_rev", "dont_mutate", "fn", "purge", "revision_context", "script",
         "starting_rev"), _COMMANDS
    ),
    "migration": _OURS,
    **dict.fromkeys(("mssql_batch_separator", "oracle_batch_separator"), _OTHER_SERVER),
}  # fmt: skip
