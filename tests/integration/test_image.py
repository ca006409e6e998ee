"""Dockerfile and compose.yaml: the points that they promise, and their commands as processes."""

from __future__ import annotations

import re
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from harness.databases import Database
from harness.processes import eventually
from tests.support import image as read
from tests.support.image import Image, make_image
from tests.support.project import ROOT

# Folders and files that a developer has beside the project, and that no image may have.
OF_A_DEVELOPER = (
    "venv/bin/python",
    ".venv/bin/python",
    "env/lib/site-packages/x.py",
    ".vegafs/data/PG_VERSION",
    ".env",
    ".git/config",
    "dump.sql",
    "surefoot/venv/bin/python",
    "surefoot/tests/conftest.py",
    "app/__pycache__/main.cpython-313.pyc",
)


def test_only_what_is_copied_is_sent() -> None:
    """The builder gets every source of COPY, and nothing that is a developer's own."""
    assert [path for path in OF_A_DEVELOPER if read.is_sent(path)] == []
    sources = read.copied()
    assert {"app", "alembic", "surefoot", "requirements.lock"} <= set(sources)
    assert all(read.is_sent(path) for path in sources)
    environment = re.search(r"python -m venv (\S+)", (ROOT / "docs/guide.md").read_text("utf-8"))
    assert environment
    assert not read.is_sent(f"{environment[1]}/bin/python")


def test_the_application_waits_for_the_migration() -> None:
    """One image is built, once; the migration has no check, and its end starts the service."""
    found = read.services()
    migrate, app = found["migrate"], found["app"]
    assert [name for name, service in found.items() if "build" in service] == ["migrate"]
    assert migrate["image"] == app["image"]
    assert app["pull_policy"] == "never"
    assert migrate["healthcheck"] == {"disable": True}
    assert migrate["restart"] == "no"
    assert "healthcheck" not in app
    assert app["restart"] == "unless-stopped"
    assert {name: each["condition"] for name, each in app["depends_on"].items()} == {
        "database": "service_healthy",
        "migrate": "service_completed_successfully",
    }
    assert migrate["environment"]["DATABASE_URL"] == app["environment"]["DATABASE_URL"]


def test_the_port_of_the_setting_is_published() -> None:
    """The service listens on VEGAFS_PORT, and the same number leads to it."""
    app = read.services()["app"]
    assert app["environment"]["VEGAFS_PORT"] == "${VEGAFS_PORT:-8000}"
    assert app["ports"] == ["127.0.0.1:${VEGAFS_PORT:-8000}:${VEGAFS_PORT:-8000}"]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image of this checkout, built by somebody whose umask is 077."""
    return make_image(tmp_path_factory.mktemp("image"))


@pytest.mark.slow
def test_the_user_of_the_image_may_read_all_of_it(image: Image) -> None:
    """Whatever the umask of the builder was; and may write none of it."""
    modes = {path: path.stat().st_mode for path in image.files()}
    others = {
        path: stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
        for path, mode in modes.items()
    }
    assert [str(path) for path, mode in modes.items() if ~mode & others[path]] == []
    assert [str(path) for path, mode in modes.items() if mode & (stat.S_IWOTH | stat.S_IWGRP)] == []
    assert (image.project / "alembic" / "revisions.lock").exists()
    assert not (image.project / "surefoot").exists()


@pytest.mark.slow
def test_the_containers_of_compose_work(image: Image, empty_database: Database) -> None:
    """The migration ends with 0, the service serves, its check says so, and a key opens it."""
    compose, port = read.services(), _free_port()
    given = {"DATABASE_URL": empty_database.url, "VEGAFS_PORT": str(port)}
    migrated = image.run(compose["migrate"]["command"], **given)
    assert migrated.returncode == 0, migrated.stderr
    assert "OK  " in migrated.stderr
    with serving(image, compose["app"]["command"], given) as url:
        checked = image.run(read.in_exec_form("HEALTHCHECK"), **given)
        assert (checked.returncode, checked.stderr) == (0, "")
        created = image.run(first_key(), **given)
        assert created.returncode == 0, created.stderr
        headers = {"Authorization": f"Bearer {created.stdout.strip()}"}
        assert httpx.get(f"{url}/api/v1/volumes").status_code == 401
        assert httpx.get(f"{url}/api/v1/volumes", headers=headers).status_code == 200
    for port_given in (str(port), "eighty"):
        elsewhere = image.run(
            read.in_exec_form("HEALTHCHECK"), **{**given, "VEGAFS_PORT": port_given}
        )
        assert elsewhere.returncode == 1
        said = f"127.0.0.1 port {port_given} does not answer: "
        assert elsewhere.stderr.startswith(said), elsewhere.stderr


@pytest.mark.slow
def test_one_container_migrates_and_serves(image: Image, empty_database: Database) -> None:
    """The command of the image itself, on an empty database."""
    given = {"DATABASE_URL": empty_database.url, "VEGAFS_PORT": str(_free_port())}
    with serving(image, read.in_exec_form("CMD"), given) as url:
        assert httpx.get(f"{url}/readyz").json() == {"status": "ready", "code": "at-head"}


def first_key() -> list[str]:
    """The command of README.md that makes the first key, without the way into the container."""
    readme = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"docker compose exec app (vegafs keys create .+)", readme)
    assert found
    return found[1].split()


@contextmanager
def serving(image: Image, command: list[str], given: dict[str, str]) -> Iterator[str]:
    """A container that serves as long as the block lasts, and stops as `docker stop` does it."""
    said = image.project.parent / "said"
    process = image.start(command, said, **given)
    try:
        assert eventually(
            lambda: process.poll() is not None or "serving on" in said.read_text(), timeout_s=60
        )
        assert process.poll() is None, said.read_text()
        yield f"http://127.0.0.1:{given['VEGAFS_PORT']}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, said.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
