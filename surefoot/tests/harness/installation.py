"""Virtual environments that hold a few distributions and nothing of this checkout.

The distributions are those of the running Python, so nothing is downloaded: their files are linked,
their commands written as pip writes them. The library is installed by pip from a wheel.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from harness.server import LIBRARY

# Its requirements without extras; `greenlet` is what sqlalchemy[asyncio] adds.
REQUIREMENTS = ("alembic", "sqlalchemy", "greenlet", "asyncpg", "click", "anyio")
OFFLINE = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
COMMAND = "#!{python}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"


@dataclass(frozen=True)
class Outcome:
    """The output and the exit code of a command."""

    exit_code: int
    out: str
    err: str


@dataclass(frozen=True)
class Installation:
    """A virtual environment."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self, wheel: Path) -> None:
        """Install a wheel without its requirements."""
        _pip("--python", self.python, "install", *OFFLINE, wheel)

    def run(self, program: str, *arguments: str, cwd: Path, **environment: str) -> Outcome:
        """Run a command of the environment to its end, without the variables of this Python."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
        done = subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=cwd,
            env={**inherited, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


def build_wheel(folder: Path) -> Path:
    """Build a wheel of the library in `folder`, with the builder that is installed."""
    _pip("wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", folder, LIBRARY)
    (wheel,) = folder.glob("*.whl")
    return wheel


def make_installation(folder: Path, *distributions: str) -> Installation:
    """Make an environment with these distributions and what they require, without extras."""
    venv.create(folder, with_pip=False)
    made = Installation(folder)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    for found in _closure(distributions):
        for name in {file.parts[0] for file in found.files or () if file.parts[0] != ".."}:
            link, target = site_packages / name, Path(str(found.locate_file(name)))
            if not link.exists() and target.exists() and name != "__pycache__":
                link.symlink_to(target)
        for entry in found.entry_points.select(group="console_scripts"):
            command = folder / "bin" / entry.name
            module, function = entry.module, entry.attr
            text = COMMAND.format(python=made.python, module=module, function=function)
            command.write_text(text, "utf-8")
            command.chmod(0o755)
    return made


def _closure(names: tuple[str, ...]) -> Iterator[Distribution]:
    """The distributions and what they require, as far as it is installed."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # a marker excludes it here
        yield found
        needed = (each for each in found.requires or () if "extra ==" not in each)
        waiting.extend(re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in needed)


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments)]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
