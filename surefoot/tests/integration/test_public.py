"""The library's interface: its names, and the example in the docstring of each."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest

import surefoot
from harness.databases import Database, Databases, engine

FOREIGN = Path(__file__).parents[1] / "installation" / "foreign"
NAMES = [
    "Backfill",
    "Database",
    "Environment",
    "Limits",
    "Project",
    "Report",
    "SurefootError",
    "Target",
    "Verdict",
    "Watch",
    "check",
    "downgrade",
    "drift",
    "lint",
    "narrated",
    "plan",
    "stamp",
    "upgrade",
    "verify",
]
# Run on an empty database; the others on one at head.
EMPTY = ("Limits", "Report", "narrated", "plan", "upgrade")


def example(name: str) -> str:
    """The example in the docstring of a public name."""
    text = f"{inspect.getdoc(getattr(surefoot, name))}\n"
    found = re.search(r"^Example:\n((?:(?: {4}.*)?\n)+)", text, re.MULTILINE)
    assert found, f"{name} has no example"
    return textwrap.dedent(found[1])


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is not ours, in the working directory; its env.py is the example."""
    shutil.copytree(FOREIGN, tmp_path, dirs_exist_ok=True)
    # The tests' own process may have another `app`.
    (tmp_path / "app").rename(tmp_path / "shop")
    (tmp_path / "migrations" / "env.py").write_text(example("Environment"), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_public_names_are_these() -> None:
    """A name more or less is a decision; each is importable and documented."""
    assert surefoot.__all__ == NAMES
    for name in NAMES:
        assert len(inspect.getdoc(getattr(surefoot, name)) or "") > 80, name
    with pytest.raises(AttributeError, match="has no attribute 'nonesuch'"):
        _ = surefoot.nonesuch


@pytest.mark.sample(4)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "Environment"])
async def test_the_example_in_a_docstring_runs(
    name: str, shop: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a database of the shop, as a reader would type it."""
    made = await databases.empty()
    scratch = await databases.empty()
    monkeypatch.setenv("SHOP_DATABASE", made.url)
    monkeypatch.setenv("SHOP_SCRATCH", scratch.url)
    database = surefoot.Database(made.url, name="shop", scratch_url=scratch.url)
    project = surefoot.Project.read("alembic.ini")
    lock(project)
    async with engine(database, "migrate") as opened:
        target = surefoot.Target.of(opened, project)
        if name not in EMPTY:
            await surefoot.upgrade(target, "head")
        given = {each: getattr(surefoot, each) for each in NAMES}
        given |= {"url": made.url, "database": database, "project": project, "target": target}
        body = textwrap.indent(example(name), "    ")
        scope: dict[str, Any] = dict(given)
        exec(f"async def run() -> None:\n{body}", scope)
        await scope["run"]()
    await databases.drop(made)
    await databases.drop(scratch)


@pytest.mark.slow
async def test_the_example_of_the_environment_is_an_env_py(
    shop: Path, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three lines, with the names of the project's own modules."""
    source = (shop / "migrations" / "env.py").read_text("utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) == 2
    monkeypatch.setenv("SHOP_DATABASE", empty_database.url)
    project = surefoot.Project.read("alembic.ini")
    lock(project)
    database = surefoot.Database(empty_database.url, name="shop")
    async with engine(database, "migrate") as opened:
        report = await surefoot.upgrade(surefoot.Target.of(opened, project))
    assert [step.revision for step in report.steps] == [r.id for r in project.revisions()]


def lock(project: surefoot.Project) -> None:
    """Write revisions.lock, without fingerprints."""
    from surefoot.chain.lockfile import write_lock

    write_lock(project.lock, project.revisions())
