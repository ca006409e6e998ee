"""The form of a change: plain or online, who has chosen it, and what the file says of it."""

from __future__ import annotations

import re
import subprocess
from argparse import Namespace
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from harness.databases import Database, Databases, connect
from harness.generation import Project, new_metadata
from integration.model_changes import CHANGES, Change
from surefoot.catalog import difference
from surefoot.errors import UsageError


@pytest.fixture(scope="module")
async def target(databases: Databases) -> AsyncIterator[Database]:
    """A database that can be asked, with a table `big`, and `small`, which has one row less."""
    database = await databases.empty()
    asked = await connect(database.url)
    for name, rows in (("big", 10_000), ("small", 9_999)):
        await asked.execute(f"CREATE TABLE {name} AS SELECT FROM generate_series(1, {rows})")
    await asked.close()
    yield database
    await databases.drop(database)


def models(*names: str, more: Any = lambda: ()) -> MetaData:
    metadata = new_metadata()
    for name in names:
        Table(name, metadata, Column("id", BigInteger, primary_key=True), *more())
    return metadata


def indexed() -> list[Any]:
    return [Column("n", Integer, index=True)]


def before() -> MetaData:
    metadata = models("parts")
    Table(
        "things",
        metadata,
        Column("id", BigInteger, primary_key=True),
        Column("size", Integer),
        Column("state", Enum("A", "B", name="state")),
        Column("old", Integer, nullable=False),
        Column("part_id", BigInteger, index=True),
    )
    return metadata


def after() -> MetaData:
    metadata = models("parts", more=lambda: [Column("name", Text)])
    Table(
        "things",
        metadata,
        Column("id", BigInteger, primary_key=True),
        Column("size", BigInteger, CheckConstraint("size > 0", name="size"), nullable=False),
        Column("state", Enum("A", name="state")),
        Column("part_id", ForeignKey("parts.id"), index=True),
        Column("code", Text, nullable=False),
        UniqueConstraint("code"),
    )
    return metadata


def given(project: Project, *values: str) -> None:
    project.config.cmd_opts = Namespace(x=list(values), autogenerate=True)


async def test_an_array_becomes_json_as_it_is(project: Project) -> None:
    """PostgreSQL has no cast for it, and the text of an array is no JSON."""

    def models(type_: Any) -> MetaData:
        metadata = new_metadata()
        Table("things", metadata, Column("id", BigInteger, primary_key=True), Column("tags", type_))
        return metadata

    await project.create(models(ARRAY(Text)))
    await project.execute("INSERT INTO things VALUES (1, ARRAY['it''s', NULL, 'a,b'])")
    given(project, "style=plain")
    await project.revise(models(JSONB), "Keep tags as JSON")
    await project.upgrade()
    await project.check(models(JSONB))
    assert await project.connection.scalar(text("SELECT tags FROM things")) == ["it's", None, "a,b"]
    await project.connection.rollback()


@pytest.mark.slow
async def test_the_plain_style_is_one_revision(project: Project) -> None:
    """Of two tables, with what goes and what comes; the file says who asked for it."""
    await project.create(before())
    was = await project.catalog()
    given(project, "style=plain")
    (written,) = await project.revise(after(), "Change all")
    source = written.read_text("utf-8")
    assert "\n\nPlain form of parts, things: -x style=plain.\n\nLocks:" in source
    assert 'phase = "contract"' in source
    assert "_new" not in source
    assert "concurrently" not in source
    assert "neither reads nor writes things.old" in " ".join(source.split())
    await project.upgrade()
    await project.check(after())
    await project.downgrade()
    assert difference(was, await project.catalog()) == []


@pytest.mark.slow
async def test_many_revisions_name_the_other_style(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who catches up with the models may want one."""
    await project.create(before())
    written = await project.revise(after(), "Change all")
    hint = "; -x style=plain writes what fits one transaction into one\n"
    assert f"OK  {len(written)} revisions{hint}" in capsys.readouterr().err
    assert len(written) > 10


@pytest.mark.slow
async def test_a_value_that_must_be_committed_stays_apart(project: Project) -> None:
    """A default may use it in the next revision."""
    await project.create(models("things", more=lambda: [Column("s", Enum("A", name="s"))]))
    given(project, "style=plain")
    wanted = models(
        "things", more=lambda: [Column("s", Enum("A", "B", name="s"), server_default="B")]
    )
    assert len(await project.revise(wanted, "Begin with B")) == 2
    await project.upgrade()
    await project.check(wanted)


@pytest.mark.slow
async def test_a_small_table_is_changed_plainly(project: Project, target: Database) -> None:
    """One that every database that was asked has few rows of, or not at all."""
    project.configure(database=target.url, targets={"eu": target.url})
    names = "big", "fresh", "small"
    await project.create(models(*names))
    given(project, "ask=eu")
    written = await project.revise(models(*names, more=indexed), "Index n")
    text = " ".join(project.text().split())
    assert "Online form of big: eu has 10,000 rows of it or more." in text
    assert "Plain form of fresh, small: fewer than 10,000 rows in eu." in text
    # The small ones share a revision; nobody holds one of them and waits for the large one.
    assert len(written) == 3
    assert "create_index_concurrently(op.f('ix_big_n')" in text
    assert "create_index(op.f('ix_small_n')" in text
    plain = [each.read_text("utf-8") for each in written if "Plain" in each.read_text("utf-8")]
    assert all("'big'" not in each for each in plain)
    await project.upgrade()
    await project.check(models(*names, more=indexed))


@pytest.mark.slow
async def test_a_table_that_a_target_has_otherwise_is_not_small(
    project: Project, target: Database
) -> None:
    """Under a former name, or in a schema that the role does not search."""
    asked = await connect(target.url)
    await asked.execute("CREATE SCHEMA aside; CREATE TABLE aside.hidden (id bigint)")
    await asked.close()
    project.configure(database=target.url, targets={"eu": target.url})
    await project.create(models("big", "hidden"))
    given(project, "ask=eu", "rename=big:large")
    await project.revise(models("large", "hidden", more=indexed), "Index n")
    text = " ".join(project.text().split())
    assert "Online form of large: it is renamed or moved, and its rows were not counted." in text
    assert "Online form of hidden: eu does not tell how many rows it has." in text
    assert "Plain form" not in text


@pytest.mark.slow
async def test_a_column_of_a_small_table_goes_later(project: Project, target: Database) -> None:
    """The release that runs may read it, however few rows there are."""
    project.configure(database=target.url, targets={"eu": target.url})
    await project.create(models("small", more=lambda: [Column("old", Integer)]))
    given(project, "ask=eu")
    added, dropped = await project.revise(models("small", more=indexed), "Index n")
    assert "ix_small_n" in added.read_text("utf-8")
    assert 'phase = "expand"' in added.read_text("utf-8")
    assert 'phase = "contract"' in dropped.read_text("utf-8")


@pytest.mark.slow
async def test_a_database_that_does_not_answer_says_nothing(
    project: Project, target: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither one that is not there, nor one whose rows the role may not count."""
    gone = re.sub(r"/[^/?]*(?=\?|$)", "/nowhere", target.url)
    project.configure(database=target.url, targets={"eu": target.url, "us": gone})
    await project.create(models("small"))
    given(project, "ask=eu", "ask=us")
    await project.revise(models("small", more=indexed), "Index n")
    text = " ".join(project.text().split())
    assert "Online form of small: us does not tell how many rows it has." in text
    assert "?   us was not asked: " in capsys.readouterr().err
    for path in project.versions.glob("*.py"):
        path.unlink()
    given(project, "ask=asia")
    with pytest.raises(UsageError, match="asia"):
        await project.revise(models("small", more=indexed), "Again")


@pytest.mark.slow
async def test_rows_that_are_hidden_are_not_counted(project: Project, databases: Databases) -> None:
    """A policy, or a missing right, would make a large table small."""
    database = await databases.empty()
    asked = await connect(database.url)
    await asked.execute(
        "CREATE TABLE seen (id bigint); CREATE TABLE big (id bigint); CREATE ROLE asker LOGIN;"
        "GRANT SELECT ON big TO asker; ALTER TABLE big ENABLE ROW LEVEL SECURITY"
    )
    url = re.sub(r"//[^@/]*@", "//asker@", database.url)
    project.configure(database=url, targets={"eu": url})
    await project.create(models("big", "seen"))
    given(project, "ask=eu")
    await project.revise(models("big", "seen", more=indexed), "Index n")
    text = " ".join(project.text().split())
    for table in ("big", "seen"):
        assert f"Online form of {table}: eu does not tell how many rows it has." in text
    await asked.execute("DROP OWNED BY asker; DROP ROLE asker")
    await asked.close()
    await databases.drop(database)


@pytest.mark.slow
async def test_the_project_s_settings_decide(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line comes before them."""
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "pyproject.toml"
    settings.write_text('[tool.surefoot]\nautogenerate = "plain"\n', "utf-8")
    await project.create(models("things"))
    wanted = models("things", more=indexed)
    (written,) = await project.revise(wanted, "Index n")
    said = 'Plain form of things: autogenerate = "plain" in pyproject.toml.'
    assert said in written.read_text("utf-8")
    written.unlink()
    given(project, "style=auto")
    assert len(await project.revise(wanted, "Index n")) == 2
    assert "Online form of things: it is not known to be small" in project.text()
    for path in project.versions.glob("*.py"):
        path.unlink()
    given(project)
    settings.write_text('[tool.surefoot.lint]\nsmall-tables = ["things"]\n', "utf-8")
    (written,) = await project.revise(wanted, "Index n")
    assert "Plain form of things: small-tables names it." in written.read_text("utf-8")
    written.unlink()
    for wrong in ('"plian"', "3"):
        settings.write_text(f"[tool.surefoot]\nautogenerate = {wrong}\n", "utf-8")
        with pytest.raises(UsageError, match=wrong.strip('"')):
            await project.revise(wanted, "Index n")


@pytest.mark.slow
async def test_the_oldest_server_decides_how_null_is_forbidden(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before PostgreSQL 18 a server refuses NOT NULL … NOT VALID."""
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "pyproject.toml"
    settings.write_text("[tool.surefoot]\npostgres = 15\n", "utf-8")
    await project.create(models("things", more=lambda: [Column("n", Integer)]))
    wanted = models("things", more=lambda: [Column("n", Integer, nullable=False)])
    await project.revise(wanted, "Require n")
    assert "ck_things_n_not_null" in project.text()
    assert "NOT NULL n NOT VALID" not in project.text()
    await project.upgrade()
    await project.check(wanted)
    settings.write_text('[tool.surefoot]\npostgres = "15"\n', "utf-8")
    with pytest.raises(UsageError, match=r"postgres in \[tool.surefoot\]"):
        await project.revise(models("things"), "Drop n")


@pytest.mark.sample(2)
@pytest.mark.parametrize("value", ["style=plian", "style="])
async def test_another_style_is_refused(project: Project, value: str) -> None:
    """With those that there are, and nothing written."""
    await project.create(models("things"))
    given(project, value)
    with pytest.raises(UsageError, match="there is no style"):
        await project.revise(models("things", more=indexed), "Index n")
    assert project.text() == ""


@pytest.mark.parametrize("value", ["style=plain", "ask=eu", "rename=a:b"])
async def test_without_autogenerate_they_are_refused(project: Project, value: str) -> None:
    """A body that a person writes has no form to choose."""
    given(project, value)
    with pytest.raises(UsageError, match=f"-x {value.partition('=')[0]}=… is for --autogenerate"):
        await project.run(command.revision, "Empty", metadata=models())


@pytest.mark.slow
async def test_a_table_that_is_not_released_is_changed_plainly(
    project: Project, tmp_path: Path
) -> None:
    """Git tells: the upstream branch does not have the revision that creates it."""

    def git(*arguments: str) -> None:
        author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, check=True, capture_output=True)

    await project.revise(models("things"), "Create things")
    project.lock()
    git("init", "--initial-branch=main")
    git("add", ".")
    git("commit", "-m", "Release")
    git("switch", "-c", "more")
    git("branch", "--set-upstream-to=main")
    await project.upgrade()
    await project.revise(models("things", "parts"), "Create parts")
    await project.upgrade()
    await project.revise(models("things", "parts", more=indexed), "Index n")
    text = " ".join(project.text().split())
    said = "Plain form of parts: main does not have the revision that creates it."
    assert said in text
    assert "Online form of things: it is not known to be small" in text
    await project.upgrade()
    await project.check(models("things", "parts", more=indexed))


@pytest.mark.slow
@pytest.mark.sample(2)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_the_plain_form_of_every_change(project: Project, change: Change) -> None:
    """There and back by one revision each, down and up again."""
    old, new = new_metadata(), new_metadata()
    change(old, False)
    change(new, True)
    given(project, "style=plain")
    begin = await project.revise(old, "Begin")
    await project.upgrade()
    was = await project.catalog()
    await project.revise(new, "There")
    await project.upgrade()
    await project.check(new)
    await project.revise(old, "Back")
    await project.upgrade()
    assert difference(was, await project.catalog()) == [], project.text()
    await project.downgrade(begin[-1].stem.partition("_")[0] if begin else "base")
    assert difference(was, await project.catalog()) == [], project.text()
    await project.upgrade()
