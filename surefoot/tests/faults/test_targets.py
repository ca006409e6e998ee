"""A command that names a target goes to it, and so do the commands that it names."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

import pytest

from harness.databases import Database, Databases, value
from harness.runs import Chain, Launcher, Result
from surefoot.cli import COMMANDS
from surefoot.cli.completion import LINES

ENV = """\
import os

from surefoot import Database, Environment, Limits

url = os.environ["OWN_URL"]
Environment(metadata=None, {own}, targets={{"us": os.environ["US_URL"], "e u": {other}}}).run()
"""
DATABASE = "database=Database(url, name='sample')"
ENGINE = (
    "engine=__import__('sqlalchemy.ext.asyncio').ext.asyncio.create_async_engine("
    "url.replace('postgresql:', 'postgresql+asyncpg:'))"
)
IS_THERE = "SELECT to_regclass('jobs') IS NOT NULL"


@dataclass
class Project:
    """A project of one revision, its own database, and the databases of its targets."""

    chain: Chain
    launcher: Launcher
    own: Database
    us: Database
    other: Database

    def configure(self, own: str) -> None:
        other = f"Database({self.other.url!r}, name='other')"
        env = ENV.format(own=own, other=other)
        (self.chain.folder / "alembic" / "env.py").write_text(env, "utf-8")

    async def type(self, line: str, *, code: int = 0) -> Result:
        """A command as it is typed. On failure: AssertionError, where it exits otherwise."""
        program, *arguments = shlex.split(line)
        urls = {"OWN_URL": self.own.url, "US_URL": self.us.url}
        run = await self.launcher.start(
            self.chain, *arguments, url=self.own.url, env=urls, program=program
        )
        done = await run.end()
        assert done.code == code, (line, done.out, done.err)
        return done

    async def migrated(self) -> list[str]:
        """The databases that have the table of the revision."""
        all_ = {"own": self.own, "us": self.us, "e u": self.other}
        return [name for name, of in all_.items() if await value(of.url, IS_THERE)]


@pytest.fixture
async def project(
    chain: Chain, launcher: Launcher, empty_database: Database, databases: Databases
) -> Project:
    made = Project(
        chain, launcher, empty_database, await databases.empty(), await databases.empty()
    )
    made.configure(DATABASE)
    chain.add("op.execute('CREATE TABLE jobs (id int)')", "op.execute('DROP TABLE jobs')")
    return made


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "typed", ["alembic -x target={} {}", "surefoot {1} --target={0}", "surefoot --target {} {}"]
)
async def test_an_upgrade_goes_to_the_target(project: Project, typed: str) -> None:
    """And back; the command that undoes it goes there, too, as it stands in the output."""
    await project.type(typed.format("us", "upgrade head"))
    assert await project.migrated() == ["us"]
    done = await project.type(typed.format("'e u'", "upgrade head"))
    assert await project.migrated() == ["us", "e u"]
    (undo,) = re.findall(r"Undo: (.*)", done.err)
    assert undo == "alembic -x 'target=e u' downgrade base"
    await project.type(undo)
    assert await project.migrated() == ["us"]
    again = await project.type(typed.format("us", "upgrade head"))
    assert "Nothing to do" in again.err


@pytest.mark.slow
@pytest.mark.parametrize("own", [DATABASE, ENGINE])
async def test_the_commands_of_alembic_go_to_the_target(project: Project, own: str) -> None:
    """Also where the project's own database is named by an engine."""
    project.configure(own)
    target = "alembic -x target=us"
    assert f"Next: {target} upgrade head" in (await project.type(f"{target} current")).err
    await project.type(f"{target} upgrade head")
    assert await project.migrated() == ["us"]
    assert "at base" in (await project.type("alembic current")).err
    assert (await project.type(f"{target} current")).out.startswith("0001")
    assert "applied" in (await project.type(f"{target} history -i")).out
    await project.type(f"{target} stamp 0001")
    await project.type(f"{target} downgrade base")
    behind = await project.type(f"{target} check", code=1)
    assert f"run `{target} upgrade head`" in behind.err
    assert await project.migrated() == []


async def test_the_commands_that_are_named_go_to_the_target(project: Project) -> None:
    status = await project.type("surefoot status --target us")
    (following,) = re.findall(r"Next: +(.*)", status.out)
    assert following == "alembic -x target=us upgrade head"
    await project.type(following)
    assert await project.migrated() == ["us"]
    shown = await project.type("surefoot --target us ledger")
    assert "rows of" in shown.err
    assert project.us.name in shown.err
    project.chain.path("0001").write_text(
        project.chain.path("0001").read_text("utf-8").replace("id int", "id bigint"), "utf-8"
    )
    project.chain.lock()
    refused = await project.type("surefoot upgrade --target us", code=3)
    named = "`surefoot --target us ops accept-checksum 0001 --reason …`"
    assert named in refused.err
    await project.type(named.strip("`").replace("…", "'a test'"))
    assert "Nothing to do" in (await project.type("surefoot upgrade --target us")).err
    assert await project.migrated() == ["us"]


@pytest.mark.parametrize(
    "typed", ["alembic -x target=uss upgrade head", "surefoot upgrade --target uss"]
)
async def test_a_target_that_is_not_there_is_refused(project: Project, typed: str) -> None:
    refused = await project.type(typed, code=2)
    assert "there is no target 'uss'" in refused.err
    assert "did you mean 'us'?" in refused.err
    assert await project.migrated() == []


@pytest.mark.parametrize("name", ["amend", "db start", "drop-last"])
async def test_a_command_for_a_development_database_takes_none(project: Project, name: str) -> None:
    refused = await project.type(f"surefoot --target us {name}", code=2)
    assert f"{name.split(maxsplit=1)[0]} takes no --target" in refused.err


@pytest.mark.sample(2)
@pytest.mark.parametrize("typed", ["alembic -x target=us current", "surefoot status --target us"])
async def test_an_address_that_does_not_answer_is_that_of_the_target(
    project: Project, typed: str
) -> None:
    """And not the URL of the project's own database."""
    project.us = Database("us", "postgresql://127.0.0.1:1/us")
    refused = await project.type(typed, code=75)
    assert "host and port in the project's targets: us right?" in refused.err


@pytest.mark.slow
async def test_the_lock_file_names_no_target(project: Project) -> None:
    """It is read by everybody."""
    await project.type("alembic -x target=us revision -m more")
    assert "target" not in project.chain.lock_path.read_text("utf-8")


def test_each_command_for_a_database_takes_a_target() -> None:
    of_files = {"adopt", "explain", "lint", "lock", "schema", "scratch"}
    of_a_developer = {"amend", "db", "drop-last"}
    takes = {name.split()[0] for name, line in LINES.items() if "--target" in line}
    assert takes == {*COMMANDS} - of_files - of_a_developer
