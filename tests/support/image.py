"""Dockerfile, .dockerignore and compose.yaml: what they say, and the folder that they make.

No container engine is needed: the image is its files, its variables and its commands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from harness.installation import make_installation
from tests.support.project import ROOT

# The builder's umask: nobody else may read the files that they checked out.
PRIVATE = 0o077


@dataclass(frozen=True)
class Instruction:
    """One instruction of the Dockerfile, its lines joined."""

    # The number of its stage, from 0; -1 before the first.
    stage: int
    name: str
    text: str


def instructions() -> list[Instruction]:
    """Those of the Dockerfile, in order."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    found: list[Instruction] = []
    stage = -1
    for line in filter(str.strip, text.replace("\\\n", " ").splitlines()):
        name, _, rest = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, " ".join(rest.split())))
    return found


def in_exec_form(name: str) -> list[str]:
    """The command of CMD or HEALTHCHECK, each of which the Dockerfile has once."""
    (text,) = [each.text for each in instructions() if each.name == name]
    command: list[str] = json.loads(text[text.index("[") :])
    return command


def variables() -> dict[str, str]:
    """The environment of the image, without its PATH."""
    texts = [each.text for each in instructions() if each.name == "ENV" and each.stage == 1]
    found = dict(word.split("=", 1) for text in texts for word in text.split())
    return {name: value for name, value in found.items() if name != "PATH"}


def services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def is_sent(path: str) -> bool:
    """Whether .dockerignore leaves a path in the build context: the last pattern decides."""
    file, sent = PurePosixPath(path), True
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = re.compile(_regular(line.removeprefix("!")))
            if any(pattern.fullmatch(str(each)) for each in (file, *file.parents)):
                sent = line.startswith("!")
    return sent


def _regular(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*)", pattern)
    special = {"**/": "(?:.*/)?", "*": "[^/]+"}
    return "".join(special.get(part, re.escape(part)) for part in parts)


@dataclass(frozen=True)
class Image:
    """The folders of the image, made on this machine."""

    project: Path
    environment: Path

    def files(self) -> Iterator[Path]:
        """Every file and folder of both, without those that are linked."""
        for folder in (self.project, self.environment):
            yield folder
            yield from (path for path in folder.rglob("*") if not path.is_symlink())

    def run(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        """A command in a container of the image, to its end."""
        given = self._given(command, environment)
        return subprocess.run(**given, capture_output=True, timeout=240, check=False)

    def start(self, command: list[str], said: Path, **environment: str) -> subprocess.Popen[str]:
        """The same, that goes on; it writes what it says into a file."""
        with said.open("w") as file:
            return subprocess.Popen(**self._given(command, environment), stdout=file, stderr=file)

    def _given(self, command: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
        """Its folder, its variables and nothing else."""
        path = f"{self.environment / 'bin'}{os.pathsep}{os.defpath}"
        home = str(self.project.parent)
        return {
            "args": [str(self.environment / "bin" / command[0]), *command[1:]],
            "cwd": self.project,
            "env": {"PATH": path, "HOME": home, **variables(), **environment},
            "text": True,
        }


def make_image(folder: Path) -> Image:
    """Make it below a folder: what COPY takes from a private checkout, and the last RUN.

    The requirements are those of this Python's environment, linked.
    """
    image = Image(folder / "project", folder / "environment")
    locked = re.findall(
        r"^([\w-]+)==", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE
    )
    made = make_installation(image.environment, *locked, "hatchling")
    subprocess.run([str(made.python), "-m", "ensurepip"], check=True, capture_output=True)
    before = os.umask(PRIVATE)
    try:
        for source in copied():
            _copy(source, image.project / source)
    finally:
        os.umask(before)
    (command,) = [each.text for each in instructions() if "./surefoot" in each.text]
    for of_image, here in (
        ("/opt/venv", image.environment),
        ("/opt/build", folder / "no-such-folder"),
        ("/srv/vegafs", image.project),
    ):
        command = command.replace(of_image, str(here))
    bin_, inherited = image.environment / "bin", os.environ.copy()
    inherited.pop("PYTHONPATH", None)
    (bin_ / "pip").unlink(missing_ok=True)
    (bin_ / "pip").symlink_to("pip3")
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=image.project,
        env={**inherited, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return image


def copied() -> list[str]:
    """The paths that COPY takes from the build context."""
    texts = [each.text for each in instructions() if each.name == "COPY"]
    taken = [text.split()[:-1] for text in texts if not text.startswith("--from=")]
    return [source for sources in taken for source in sources]


def _copy(source: str, to: Path) -> None:
    """As COPY does, of what .dockerignore leaves there."""
    if (ROOT / source).is_file():
        assert is_sent(source), source
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, to)
        return
    to.mkdir(parents=True)
    for each in sorted((ROOT / source).iterdir()):
        path = f"{source}/{each.name}"
        if is_sent(path) and (each.is_file() or any(is_sent(p) for p in _below(path))):
            _copy(path, to / each.name)


def _below(path: str) -> Iterator[str]:
    return (str(each.relative_to(ROOT)) for each in (ROOT / path).rglob("*") if each.is_file())
