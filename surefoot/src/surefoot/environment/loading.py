"""The Environment of a project, learned by running its env.py: nothing is configured twice."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from surefoot.environment.environment import DESCRIBED, Environment
from surefoot.errors import ConfigurationInvalid, EnvironmentMissing
from surefoot.project import DEFAULT_INI, Project


def load(ini: Path | str = DEFAULT_INI) -> tuple[Environment, Project]:
    """The environment and the project of an ini file. Nothing connects, no revision runs.

    On failure: ConfigurationInvalid, EnvironmentMissing, and what env.py itself raises.
    """
    path = Path(ini)
    if not path.is_file():
        raise ConfigurationInvalid(str(ini), "there is no such file; name it with -c")
    found: list[Environment] = []
    config = Config(path, attributes={DESCRIBED: found})
    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, script):
        script.run_env()
    if not found:
        raise EnvironmentMissing(str(Path(script.dir) / "env.py"))
    return found[-1], found[-1].project(config)
