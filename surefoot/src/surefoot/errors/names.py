"""Names are how the project at hand calls the library's command and its settings.

A message names the command that its reader has and the setting by the project's own name:
`names.use(Names("shop", {"database": "SHOP_DATABASE_URL"}))`, once per process. Of a command that
goes to a target, the messages name commands that go there, too.
"""

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

# Settings that are no field of Limits, where the project gives them no name.
_UNNAMED = {
    "database": "the database URL that env.py names",
    "migrate_database": "the database URL that env.py names",
    "targets": "the project's targets",
    "scratch": "Database(scratch_url=…)",
    "pg_bindir": "the folder of PostgreSQL's programs",
}


@dataclass(frozen=True)
class Names:
    """The commands as the user types them, and what the project calls its settings.

    `settings` maps database, database_file, migrate_database, targets, scratch, pg_bindir and the
    fields of Limits to the names of environment variables or options.
    """

    command: str = "surefoot"
    settings: Mapping[str, str] = field(default_factory=dict)
    alembic: str = "alembic"

    def __getitem__(self, wanted: str) -> str:
        """How the project calls a setting; `name=value` gives the setting with its value."""
        name, equals, value = wanted.partition("=")
        if named := self.settings.get(name):
            return f"{named}{equals}{value}"
        if name in _UNNAMED:
            return f"{_UNNAMED[name]} to {value}" if equals else _UNNAMED[name]
        return f'Limits({name}="{value}")' if equals else f"Limits({name}=…)"


_in_use = Names()
_typed: str | None = None
_target: str | None = None


def use(names: Names) -> None:
    """Let all later messages of this process use the names."""
    global _in_use  # noqa: PLW0603 - one record for the process, as a message has no other context
    _in_use = names


def type_(command: str) -> None:
    """The user has typed this command, of the library or of the project."""
    global _typed  # noqa: PLW0603 - as above
    _typed = command


def typed(command: str) -> str:
    """The command that the user has typed, or the one of Alembic that a run stands for."""
    return _typed or command


def aim(target: str | None) -> None:
    """This process is about a target, by its name, or about the project's own database."""
    global _target  # noqa: PLW0603 - as above
    _target = target


def in_use() -> Names:
    """The names that messages use now."""
    if _target is None:
        return _in_use
    its = f"{_in_use['targets']}: {_target}"
    return replace(
        _in_use,
        settings={**_in_use.settings, "database": its, "migrate_database": its},
        command=f"{_in_use.command} --target {shlex.quote(_target)}",
        alembic=f"{_in_use.alembic} -x {shlex.quote(f'target={_target}')}",
    )


def program() -> str:
    """The command without the target of this process, for a file that others read."""
    return _in_use.command


def command() -> str:
    """The command as the user types it."""
    return in_use().command


def alembic() -> str:
    """Alembic's command, to the same database."""
    return in_use().alembic


def taken_back() -> str:
    """The sentence that helps where a database of a developer has revisions of another branch."""
    return f"a development database is taken back by `{program()} db goto`"


def arguments(revisions: Iterable[str]) -> str:
    """The revisions as a command of a shell takes them."""
    return shlex.join(revisions) or "base"


def goal(heads: Collection[str]) -> str:
    """The name of all heads, for `alembic upgrade`: it refuses `head` where there are several."""
    return "heads" if len(heads) > 1 else "head"


def setting(name: str) -> str:
    """How the project calls a setting; else where the library takes it from."""
    return in_use()[name]
