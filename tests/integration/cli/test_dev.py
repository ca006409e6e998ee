"""`vegafs dev` as a process."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.databases import Database
from harness.processes import eventually
from harness.server import MEMORY
from tests.support.project import run
from tests.support.service import Served, plant, served


class Printed:
    """The output of `vegafs dev` when it serves."""

    def __init__(self, service: Served) -> None:
        assert eventually(lambda: "\nCtrl-C" in service.process.out, timeout_s=30), service.said
        self.text = service.process.out
        self.url = self.word("Serving")
        self.key = self.word("Key")
        self.scan, self.listing = re.findall(r"^  (curl .+)$", self.text, re.MULTILINE)

    def word(self, name: str) -> str:
        found = re.search(rf"^{name} +(\S+)$", self.text, re.MULTILINE)
        assert found, self.text
        return found[1]


def pasted(line: str) -> Any:
    """The answer to a command line that is pasted into a shell."""
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=True, timeout=30
    )
    return json.loads(done.stdout)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder of the test's own, in memory where there is one."""
    return MEMORY / f"vegafs-dev-{os.getpid()}-{tmp_path.name}" if MEMORY.is_dir() else tmp_path


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_from_nothing_to_a_first_scan(state: Path, tmp_path: Path) -> None:
    """Its own PostgreSQL, a schema at head, a key, and lines that work when pasted."""
    plant(tmp_path, "data/a.txt", "data/b/c.txt")
    environment = {
        "VEGAFS_STATE_DIR": str(state),
        "VEGAFS_VOLUMES": f"data={tmp_path}/data",
        "VEGAFS_WORKER_POLL_S": "0.05",
    }
    try:
        with served("dev", **environment) as service:
            printed = Printed(service)
            assert printed.word("API") == f"{printed.url}/docs"
            assert pasted(f"curl -s {printed.word('Readiness')}")["code"] == "at-head"
            seen = pasted(f"curl -s {printed.word('Migrations')}.json")
            assert seen["headline"]["state"] == "current"
            job = pasted(printed.scan)
            assert (job["volume"], job["path"], job["status"]) == ("data", "", "PENDING")
            headers = {"Authorization": f"Bearer {printed.key}"}
            for _ in range(200):
                job = httpx.get(f"{printed.url}/api/v1/jobs/{job['id']}", headers=headers).json()
                if job["status"] == "COMPLETED":
                    break
                time.sleep(0.05)
            files = pasted(printed.listing)["files"]
            assert [file["path"] for file in files] == ["a.txt", "b/c.txt"]
            key_file = state / "development-key"
            assert key_file.read_text() == f"{printed.key}\n"
            assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
            assert service.stop(signal.SIGINT) == 0
            assert service.said[-1] == "OK  stopped"

        with served("dev", **environment) as service:
            again = Printed(service)
            assert again.key == printed.key
            assert len(pasted(again.listing.replace(printed.url, again.url))["files"]) == 2
            assert service.stop() == 0
    finally:
        run("vegafs", "db", "stop", "--now", VEGAFS_STATE_DIR=str(state))
        shutil.rmtree(state, ignore_errors=True)


@pytest.mark.slow
def test_without_volumes_it_offers_usr_and_home(empty_database: Database, tmp_path: Path) -> None:
    """And replaces a key file that is not in force in this database."""
    (tmp_path / "development-key").write_text("vegafs_of_another_database\n")
    environment = {
        "DATABASE_URL": empty_database.url,
        "VEGAFS_STATE_DIR": str(tmp_path),
        "HOME": str(tmp_path),
    }
    with served("dev", **environment) as service:
        printed = Printed(service)
        assert """-d '{"operation": "scan", "path": "/usr"}'""" in printed.scan
        headers = {"Authorization": f"Bearer {printed.key}"}
        volumes = httpx.get(f"{printed.url}/api/v1/volumes", headers=headers).json()["volumes"]
        assert [(volume["name"], volume["root"]) for volume in volumes] == [
            ("home", str(tmp_path)),
            ("usr", "/usr"),
        ]
        assert (tmp_path / "development-key").read_text() == f"{printed.key}\n"
        assert service.stop() == 0


def test_it_is_not_for_production() -> None:
    """It would make a key and migrate without being asked to."""
    done = run("vegafs", "dev", VEGAFS_ENVIRONMENT="production")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "ERROR [usage]  `vegafs dev` creates a key and migrates without asking: it is not for "
        "production\n  help: vegafs serve --migrate\n"
    )
