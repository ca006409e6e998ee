"""Environment is the whole of an env.py: a database and the models in, revisions run.

It imports little. Nothing of the project and nothing of SQLAlchemy's engines is loaded until a
command has something to do: `alembic upgrade head` on a database at head ends in the fast path.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.connect.database import Database, refuse_other_drivers, url_text
from surefoot.connect.limits import Limits
from surefoot.connect.url import DatabaseUrl
from surefoot.errors import (
    ConfigurationInvalid,
    EnvironmentMissing,
    SurefootError,
    TargetUnknown,
)
from surefoot.errors.names import setting
from surefoot.import_strings import imported, not_installed
from surefoot.project import DEFAULT_INI, Project, alembic_config, module_paths
from surefoot.version_table import VersionTable
from surefoot.wording import raised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from sqlalchemy import URL, Connection, Engine, MetaData
    from sqlalchemy.ext.asyncio import AsyncEngine

    # Also another object that `Database` takes for a URL, such as a DSN of pydantic.
    DatabaseSource = Database | URL | str | Callable[[], Database | URL | str]
    Targets = Mapping[str, Database | URL | str]
    TargetsSource = Targets | str | Callable[[], Targets]

# A list in it asks env.py for its Environment, and nothing is run.
_described: ContextVar[list[Environment] | None] = ContextVar("described", default=None)
_USES_ALEMBIC = re.compile(rb"^[ \t]*(?:from|import)[ \t]+alembic\b", re.MULTILINE)


@dataclass(frozen=True)
class Environment:
    """The environment of an Alembic project, protected by Surefoot.

    Example:
        from surefoot import Environment

        Environment(metadata="shop.models:metadata", database="shop.db:migration_database").run()

    Each source may be the object itself, a function that gives it, or an import string that leads
    to either; a string with `://` in it is a URL.
    """

    # One MetaData or import string, or several; None in a project without models.
    metadata: MetaData | str | Sequence[MetaData | str] | None
    # The database to migrate: a Database or a URL, whose driver is the application's.
    database: DatabaseSource | None = None
    # An engine of asyncpg instead, where the project makes its own.
    engine: AsyncEngine | str | Callable[[], AsyncEngine] | None = None
    # Further databases by name, for `--target NAME` and `alembic -x target=NAME`.
    targets: TargetsSource | None = None
    # The bounds of a run on `engine`; a Database has its own.
    limits: Limits | str | Callable[[], Limits] | None = None
    # The table in which Alembic keeps the revision of a database.
    version_table: str = VersionTable.name
    # Its schema; without one it is found by the search path.
    version_table_schema: str | None = None
    # The schemas of the application, its own first; docs/drift.md says where they have to be named.
    schemas: Sequence[str] = ()
    # Extensions that no revision creates, because the operator of a database does: a scratch
    # database gets them before the first revision.
    extensions: Sequence[str] = ()
    # The kinds of object, such as "views" and "functions", of which the models are the whole truth:
    # autogenerate drops those that no model claims, and leaves them alone otherwise.
    manages: Collection[str] = ()
    # A filter of autogenerate by name, as Alembic defines it. It is asked first; tables of Surefoot
    # and of `exclude` are left out in any case.
    include_name: Callable[..., bool] | None = None
    # The same by object.
    include_object: Callable[..., bool] | None = None
    # Tables that belong neither to a model nor to a revision: nothing compares them.
    exclude: Collection[str] = ()
    # Further options of `context.configure`: docs/options.md says how each is treated. Of two
    # callables for one question the project's is asked first.
    options: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """Do what the Alembic command asks for.

        On failure, under the `alembic` command: one message and the exit code of its class; for a
        caller of the library: the exception.
        """
        if (described := _described.get()) is not None:
            described.append(self)
            return
        from surefoot.environment.typed import run  # noqa: PLC0415 - it imports Alembic

        run(self)

    @property
    def may_squash(self) -> bool:
        """Whether an empty database may begin with a squash: no option asks for each revision."""
        is_asked = self.options.get("on_version_apply") is not None
        return not is_asked and self.options.get("version_table_pk") is not False

    def project(self, config: Config) -> Project:
        """The project of the configuration that Alembic runs with."""
        return Project.of(config, **self._options())

    def _options(self) -> dict[str, Any]:
        """The fields of the project that no ini file holds."""
        several = isinstance(self.metadata, Sequence) and not isinstance(self.metadata, str)
        metadata: Any = self.metadata if several else (self.metadata,)
        filters: Mapping[str, Any] = {}
        if self.options or self.include_name or self.include_object:
            from surefoot.environment.composition import filters as of  # noqa: PLC0415 - rare

            filters = of(self)
        listed = dict[str, Any]()
        for name in ("schemas", "extensions", "manages", "exclude"):
            names = getattr(self, name)
            if isinstance(names, str):  # whose letters would be the names
                reason = f"it is a string; write [{names!r}]"
                raise ConfigurationInvalid(f"Environment({name}=…)", reason)
            listed[name] = tuple(names)
        return listed | {
            "version_table": VersionTable(self.version_table, self.version_table_schema),
            "filters": filters,
            "metadata": tuple(each for each in metadata if each is not None),
        }

    def resolved_database(self, target: str | None = None) -> Database:
        """The database, or the one of `targets` that has the name.

        On failure: TargetUnknown, ConfigurationInvalid, ModelsNotImportable, and what the
        project's own function raises.
        """
        if target is None:
            if self.database is None:
                raise ConfigurationInvalid(
                    "Environment(engine=…)", "only an engine is named, and this needs a database"
                )
            found = resolved(self.database)
            if isinstance(found, Database):
                return found
            if hasattr(found, "dialect"):
                refuse_other_drivers(found, "Environment(database=…)", source=self.database)
            return Database(found)
        named = resolved(self.targets) if self.targets is not None else {}
        if target not in named:
            raise TargetUnknown(target, sorted(named))
        chosen = named[target]
        if isinstance(chosen, Database):
            return chosen
        name = f"{setting('targets')}: {target}"
        url = url_text(chosen, name)
        DatabaseUrl.parse(url, name=name)
        if self.database is None:
            return Database(url, limits=self.resolved_limits())
        return self.resolved_database().at(url)

    def at(self, target: str) -> Environment:
        """The environment whose database is a target. On failure: as `resolved_database`."""
        return replace(self, database=self.resolved_database(target), engine=None, limits=None)

    def resolved_targets(self) -> Mapping[str, Database]:
        """The further databases by their names. On failure: as `resolved_database`."""
        names = resolved(self.targets) if self.targets is not None else {}
        return {name: self.resolved_database(name) for name in names}

    def resolved_limits(self) -> Limits:
        """The bounds of a run."""
        if self.limits is not None:
            found: Limits = resolved(self.limits)
            return found
        return Limits() if self.database is None else self.resolved_database().limits

    @contextmanager
    def opened_engine(self) -> Iterator[Engine]:
        """The engine to migrate with in a greenlet, on a server that is up."""
        if self.engine is not None:
            engine = resolved(self.engine)
            refuse_other_drivers(engine, "Environment(engine=…)", source=self.engine)
            yield engine.sync_engine
            return
        database = self.resolved_database()
        with nullcontext(database) if database.is_named else database.available() as named:
            yield named.sync_engine("migrate")

    @contextmanager
    def connected(self, target: str) -> Iterator[Connection]:
        """A connection to a target that only reads, in a greenlet. On failure: TargetUnknown."""
        from surefoot.connect.failures import explained  # noqa: PLC0415 - it imports SQLAlchemy

        engine = self.resolved_database(target).sync_engine("observe")
        with explained(engine.url), engine.connect() as connection:
            yield connection


def load(
    ini: Path | str = DEFAULT_INI, *, first: BaseException | None = None
) -> tuple[Environment, Project]:
    """The environment and the project of an ini file, learned by running its env.py.

    So nothing is configured twice. Nothing connects, no revision runs. `first` is what env.py has
    raised in a `glimpse`. On failure: ConfigurationInvalid, EnvironmentMissing, and the errors of
    the library that env.py raises.
    """
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415 - `glimpse` does
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - without both

    where = str(ini)
    with _describing() as found:
        try:
            config = alembic_config(Path(ini))
            script = ScriptDirectory.from_config(config)
            where = str(Path(script.dir) / "env.py")
            with EnvironmentContext(config, script):
                script.run_env()
        except SurefootError:
            raise
        except (Exception, SystemExit) as error:
            # What the first run of env.py has left may make the second fail for another reason.
            said = raised(error)
            if first is not None and raised(first) != said:
                said = f"{raised(first)}; a second run, by Alembic: {said}"
            raise ConfigurationInvalid(where, said) from error
    if not found:
        raise EnvironmentMissing(str(Path(script.dir) / "env.py"))
    return found[-1], found[-1].project(config)


def glimpse(ini: Path | str) -> tuple[Environment, Project] | BaseException | None:
    """The same without Alembic, whose import takes longer than a look at the database.

    None where env.py itself uses Alembic, or the project cannot be read; what env.py raises, for
    `load` to say.
    """
    try:
        project = Project.read(ini)
    except Exception:
        return None
    try:
        path = project.folder / "env.py"
        spec = spec_from_file_location("env_py", path)
        if spec is None or spec.loader is None or _USES_ALEMBIC.search(path.read_bytes()):
            return None
        sys.path[:0] = [each for each in module_paths(ini) if each not in sys.path]
        with _describing() as found:
            spec.loader.exec_module(module_from_spec(spec))
        return (found[-1], replace(project, **found[-1]._options())) if found else None
    except (Exception, SystemExit) as error:
        return error


@contextmanager
def _describing() -> Iterator[list[Environment]]:
    """In the block an env.py adds its Environment to the list, and runs nothing."""
    found: list[Environment] = []
    token = _described.set(found)
    try:
        yield found
    finally:
        _described.reset(token)


def resolved(source: Any) -> Any:
    """The object that a source stands for.

    On failure: ModelsNotImportable, ConfigurationInvalid, and what the project's function raises.
    """
    found = source
    if isinstance(found, str) and "://" not in found:
        try:
            found = imported(found)
        except ImportError as error:
            raise not_installed(error) from error
    return found() if callable(found) else found
