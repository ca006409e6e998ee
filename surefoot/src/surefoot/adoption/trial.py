"""Trial is the new env.py, run before it is written: its models, its database, their state."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from surefoot.adoption.candidate import Candidate
from surefoot.chain.revisions import Revision, heads, with_past
from surefoot.compat.alembic import env_text
from surefoot.connect.database import Database
from surefoot.connect.limits import Limits
from surefoot.differences.detection import of_metadata
from surefoot.differences.model import Deviation
from surefoot.environment.environment import Environment, load
from surefoot.environment.options import refuse
from surefoot.errors import ConfigurationInvalid, SurefootError
from surefoot.frozen import dataclass
from surefoot.project import Project
from surefoot.run.events import Listen
from surefoot.scratch import scratch
from surefoot.target import Target
from surefoot.trace.fingerprints import fingerprinted
from surefoot.wording import raised


@dataclass(frozen=True)
class Trial:
    """The Environment of the new env.py, and its project; or why it cannot be run."""

    project: Project
    environment: Environment | None = None
    failure: SurefootError | None = None

    def database(self) -> Database | None:
        """The database that is migrated. On failure: ConfigurationInvalid, DatabaseUrlInvalid."""
        if self.environment is None or self.environment.database in (None, ...):
            return None
        try:
            found = self.environment.resolved_database()
        except SurefootError:
            raise
        except Exception as error:
            # The project's own function, which may need a setting that is missing here.
            raise ConfigurationInvalid("Environment(database=…)", raised(error)) from error
        if found.is_named:
            found.location("migrate")
        return found if found.migrate_url is None else found.at(found.migrate_url)


@contextmanager
def tried(candidate: Candidate, text: str) -> Iterator[Trial]:
    """The trial of a text for env.py; Alembic's commands run it as long as the block lasts."""
    with env_text(candidate.env.path, text), _ini(candidate) as ini:
        try:
            environment, project = load(ini)
            refuse(environment.options)
        except SurefootError as error:
            yield Trial(candidate.project, failure=error)
        else:
            yield Trial(project, environment)


@contextmanager
def _ini(candidate: Candidate) -> Iterator[Path]:
    """The ini file as it has to be: the one on disk, or a copy for the trial."""
    ini = candidate.project.ini
    if not candidate.ini.added:
        yield ini
        return
    with tempfile.TemporaryDirectory(prefix="surefoot-adopt-") as folder:
        copy = Path(folder, ini.name)
        here = str(ini.parent).replace("%", "%%")
        copy.write_text(candidate.ini.new_text.replace("%(here)s", here), "utf-8")
        yield copy


async def climbed(
    trial: Trial, database: Database, listen: Listen
) -> tuple[tuple[Revision, ...], tuple[Deviation, ...] | None]:
    """The past, with the fingerprint of its head; and the differences of the models from it.

    The chain runs on a scratch database. The models of a project without any are None. On failure:
    what the revisions, the models and the scratch server can meet.
    """
    project = trial.project
    chain = project.revisions()
    if not project.lock.exists():
        chain = with_past([replace(each, unlocked=False) for each in chain], heads(chain))
    metadata = project.models()
    async with scratch(database, project) as empty:
        target = Target.of(empty, project, Limits())
        chain = await fingerprinted(target, chain, listen=listen)
        if not metadata:
            return chain, None
        async with empty.connect() as connection:
            return chain, await connection.run_sync(of_metadata, metadata, project)
