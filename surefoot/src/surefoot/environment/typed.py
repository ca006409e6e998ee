"""run() does what an Alembic command asks of an Environment, in its env.py."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alembic import context
from alembic.script import ScriptDirectory
from alembic.script.revision import CycleDetected

from surefoot.compat.alembic import command_name
from surefoot.environment import fast_path
from surefoot.environment.commandline import narrate, rendered, say
from surefoot.errors import names

if TYPE_CHECKING:
    from alembic.config import Config

    from surefoot.environment.environment import Environment
    from surefoot.project import Project


def run(environment: Environment) -> None:
    """Do it. On failure: as `Environment.run`."""
    config = context.config
    if command_name(config) is None:
        _run(environment, config)
        return
    # `alembic …` is a process that ends by itself and keeps nearly all that it makes: looking for
    # garbage less often saves it a tenth of its time, and a last look at its end as much.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        _run(environment, config)
    finally:
        gc.freeze()


def _run(environment: Environment, config: Config) -> None:
    with rendered(config):
        environment = _aimed(environment, config)
        project = environment.project(config)
    if missing := project.lock_missing():
        from surefoot.run.events import Warned, ignore  # noqa: PLC0415 - as below

        listen = config.attributes.get("listen") or (narrate if command_name(config) else ignore)
        listen(Warned("lock-file-missing", missing))
    with rendered(config, project.locations), _chain_told(project):
        if _has_nothing_to_do(environment, project, config):
            return
        if command_name(config) == "history":
            _list(environment, project, config)
            return
        from surefoot.environment import runner  # noqa: PLC0415 - the fast path does without

        runner.run(environment, project)


def _aimed(environment: Environment, config: Config) -> Environment:
    """The environment, at the target that `alembic -x target=NAME` names.

    Without targets the argument is the project's own. On failure: TargetUnknown.
    """
    target = None
    if environment.targets is not None:
        target = context.get_x_argument(as_dictionary=True).get("target")
    if target is not None:
        environment = environment.at(target)
    if command_name(config) is not None:
        names.aim(target)
    return environment


@contextmanager
def _chain_told(project: Project) -> Iterator[None]:
    """In the block, a chain that Alembic cannot link is told by the file that is wrong.

    Alembic warns of a revision that no file has, and raises KeyError. On failure: RevisionsBroken.
    """
    warnings.filterwarnings("ignore", r"Revision \S+ referenced from ")
    try:
        yield
    except Exception as error:
        if isinstance(error.__cause__ or error, (KeyError, CycleDetected)):
            project.revisions()
        raise


def _has_nothing_to_do(environment: Environment, project: Project, config: Config) -> bool:
    """Whether a first look at the database is enough; then it was told."""
    options = config.cmd_opts
    is_plain = environment.engine is None and not (
        config.attributes or getattr(options, "sql", False)
    )
    if command_name(config) != "upgrade" or not is_plain:
        return False
    revision = getattr(options, "revision", None)
    report = fast_path.at_head(
        project, environment.resolved_database, revision, say, may_squash=environment.may_squash
    )
    if report is not None:
        config.attributes["report"] = report
    return report is not None


def _list(environment: Environment, project: Project, config: Config) -> None:
    """Print the history, which needs no model and nothing that runs revisions."""
    from surefoot.environment import history, late_files, options  # noqa: PLC0415 - as above

    options.refuse(environment.options)
    script = ScriptDirectory.from_config(config)
    late_files.put_off(script, project)
    history.history(
        config, script, environment.opened_engine, project.version_table, late_files.phases(project)
    )
