"""`alembic revision` as a process: what it writes, and what git makes of two of them."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.databases import Database
from harness.forks import Result
from surefoot.chain.lockfile import check_lock, check_seals
from surefoot.chain.revisions import read_revisions
from tests.integration.migrations.conftest import ROOT, imported
from tests.support.project import run_alembic

HEAD = read_revisions(ROOT / "alembic" / "versions")[-1].id
NEXT = f"{int(HEAD) + 1:04}"


def revision(
    project: Path, database: Database | None, *arguments: str, options: Sequence[str] = ()
) -> Result:
    url = database.url if database else "postgresql://nobody@127.0.0.1:1/none"
    environment = {"PYTHONPATH": imported(project)}
    if database:
        # The new file is tried on the server that there is.
        environment["VEGAFS_SCRATCH_URL"] = database.url
    return run_alembic(*options, "revision", *arguments, url=url, cwd=project, env=environment)


def add_priority(project: Path, options: str = "") -> None:
    """A developer changes a model."""
    replace_error(
        project,
        "    error: Mapped[str | None]\n"
        f'    priority: Mapped[int] = mapped_column(server_default="0"{options})\n',
    )


def replace_error(project: Path, lines: str) -> None:
    """Other lines in the place of a column's."""
    model = project / "app" / "db" / "models" / "jobs.py"
    source = model.read_text("utf-8")
    changed = source.replace("    error: Mapped[str | None]\n", lines)
    assert changed != source
    model.write_text(changed, "utf-8")


@pytest.mark.slow
def test_autogenerate_writes_the_next_number(database: Database, project: Path) -> None:
    """A file named by number and slug, in the docstring form, and a line in the lock."""
    add_priority(project)
    result = revision(project, database, "--autogenerate", "-m", "Add priority to jobs")
    assert result.code == 0, result
    name = f"{NEXT}_add_priority_to_jobs.py"
    assert result.err == (
        f"OK  {name} written, revisions.lock refreshed. Review, then: alembic upgrade head\n"
    )
    source = (project / "alembic" / "versions" / name).read_text("utf-8")
    assert source.startswith('"""Add priority to jobs.\n')
    assert (
        "\nLocks: ACCESS EXCLUSIVE on jobs, catalogue change only.\n"
        "Undo: ACCESS EXCLUSIVE on jobs, catalogue change only; drops jobs.priority "
        "with the data.\n"
    ) in source
    assert f'revision = "{NEXT}"\ndown_revision = "{HEAD}"\nphase = "expand"\n' in source
    assert 'op.drop_column("jobs", "priority")' in source
    chain = read_revisions(project / "alembic" / "versions")
    check_lock(project / "alembic" / "revisions.lock", chain)
    assert chain[-1].slug == "add_priority_to_jobs"

    # Applied, it leaves no difference; another run says so and writes nothing.
    environment = {"PYTHONPATH": imported(project)}
    up = run_alembic("upgrade", "head", url=database.url, cwd=project, env=environment)
    assert up.code == 0, up
    again = revision(project, database, "--autogenerate", "-m", "Nothing")
    assert (again.code, again.err) == (
        0,
        "OK  models and database are equal; no revision written\n",
    )
    assert read_revisions(project / "alembic" / "versions") == chain


@pytest.mark.slow
def test_a_verdict_is_of_the_file_with_its_suppressions(database: Database, project: Path) -> None:
    """They are written by what the trace shows, after the file has entered the lock."""
    model = project / "app" / "db" / "models" / "jobs.py"
    imports = "from sqlalchemy import CheckConstraint, "
    model.write_text(model.read_text("utf-8").replace(imports, f"{imports}JSON, "), "utf-8")
    column = "    error: Mapped[str | None]\n"
    replace_error(project, f"{column}    more: Mapped[Any | None] = mapped_column(JSON)\n")
    result = revision(project, database, "--autogenerate", "-m", "Add more")
    assert (result.code, "allow avoid-json-column: " in result.err) == (0, True), result
    chain = read_revisions(project / "alembic" / "versions")
    assert chain[-1].allowed
    check_seals(project / "alembic" / "revisions.lock", chain)


@pytest.mark.slow
def test_a_revision_to_write_by_hand_has_its_imports(database: Database, project: Path) -> None:
    """The usual ones stay, though nothing uses them yet; a merge has none."""
    usual = re.compile(r'"""\n\nimport sqlalchemy as sa\n+from alembic import op\n\nrevision = ')
    for number in (NEXT, f"{int(NEXT) + 1:04}"):
        parent = ("--head", HEAD, "--splice") if number != NEXT else ()
        result = revision(project, database, "-m", "By hand", *parent)
        assert result.code == 0, result
        written = project / "alembic" / "versions" / f"{number}_by_hand.py"
        assert usual.search(written.read_text("utf-8"))
    environment = {"PYTHONPATH": imported(project)}
    merged = run_alembic(
        "merge", "heads", "-m", "joined", url=database.url, cwd=project, env=environment
    )
    assert merged.code == 0, merged
    (path,) = (project / "alembic" / "versions").glob("*_joined.py")
    assert "import" not in path.read_text("utf-8")


@pytest.mark.slow
def test_every_file_is_named_and_in_the_lock(database: Database, project: Path) -> None:
    """An index takes a revision of its own, with the next number and a name that says so.

    Alembic names the files on stdout as it writes them.
    """
    add_priority(project, ", index=True")
    result = revision(project, database, "--autogenerate", "-m", "Add priority to jobs")
    following = f"{int(NEXT) + 1:04}"
    assert result.err == (
        f"OK  2 revisions written ({NEXT} to {following}), revisions.lock refreshed. "
        "Review, then: alembic upgrade head\n"
    )
    chain = read_revisions(project / "alembic" / "versions")
    check_lock(project / "alembic" / "revisions.lock", chain)
    assert [each.id for each in chain[-2:]] == [NEXT, following]
    environment = {"PYTHONPATH": imported(project)}
    up = run_alembic("upgrade", "head", url=database.url, cwd=project, env=environment)
    assert up.code == 0, up
    check = run_alembic("check", url=database.url, cwd=project, env=environment)
    assert check.code == 0, check


@pytest.mark.slow
def test_a_rename_is_asked_about_and_written_when_told(database: Database, project: Path) -> None:
    """The command that is shown is the one that writes it."""
    replace_error(project, "    failure: Mapped[str | None]\n")
    asked = revision(project, database, "--autogenerate", "-m", "Say failure")
    told = "alembic -x rename=jobs.error:jobs.failure revision --autogenerate -m "
    assert told in asked.err
    versions = project / "alembic" / "versions"
    for written in read_revisions(versions)[-2:]:
        assert written.path is not None
        written.path.unlink()

    rename = ("-x", "rename=jobs.error:jobs.failure")
    result = revision(project, database, "--autogenerate", "-m", "Failure", options=rename)
    assert result.code == 0, result
    source = (versions / f"{NEXT}_failure.py").read_text("utf-8")
    assert 'op.alter_column("jobs", "error", new_column_name="failure")' in source
    # Which release stopped using it, only a person knows.
    assert 'phase = "contract"\n# The oldest revision whose code works after this one;' in source
    assert f'\n# requires_code = "{HEAD}"\n' in source


@pytest.mark.slow
def test_a_rename_of_nothing_that_is_compared_is_refused(project: Path) -> None:
    """Without --autogenerate it would be forgotten."""
    result = revision(
        project, None, "-m", "Say failure", options=("-x", "rename=jobs.error:jobs.failure")
    )
    assert (result.code, result.err) == (
        2,
        "ERROR [usage]  -x rename=… is for --autogenerate, which was not given\n"
        "  help: add --autogenerate, or write the operations in the file yourself\n",
    )


@pytest.mark.slow
def test_autogenerate_wants_a_database_at_head(empty_database: Database, project: Path) -> None:
    """Compared with an older schema, the file would repeat what is pending."""
    result = revision(project, empty_database, "--autogenerate", "-m", "Too early")
    assert result.code == 1
    assert (
        f"[database-behind]  database '{empty_database.name}' is at base; this build" in result.err
    )
    assert result.err.endswith("\n  help: run `alembic upgrade head`\n")


@pytest.mark.slow
def test_an_empty_revision_needs_no_database(project: Path) -> None:
    """Without --autogenerate nothing is compared, so nothing is connected to."""
    result = revision(project, None, "-m", "Clean up by hand")
    assert result.code == 0, result
    path = project / "alembic" / "versions" / f"{NEXT}_clean_up_by_hand.py"
    assert "def upgrade() -> None:" in path.read_text("utf-8")
    check_lock(project / "alembic" / "revisions.lock", read_revisions(path.parent))


@pytest.mark.slow
def test_a_revision_without_a_message_is_refused(database: Database, project: Path) -> None:
    """Its file name and its first line are made of the message."""
    add_priority(project)
    result = revision(project, database, "--autogenerate")
    assert result.code == 2
    assert result.err == (
        "ERROR [message-missing]  a revision needs a message: its file name and its first line "
        "are made of it\n"
        '  help: alembic revision --autogenerate -m "Add priority to jobs"\n'
    )


@pytest.mark.slow
def test_two_branches_conflict_in_git_before_they_do_in_a_database(project: Path) -> None:
    """Both add a line at the same place of revisions.lock."""

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        identity = ["-c", "user.name=dev", "-c", "user.email=dev@example.org"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=project, capture_output=True, text=True, check=False
        )

    (project / ".gitignore").write_text("__pycache__/\n", "utf-8")
    assert git("init", "-q", "-b", "main").returncode == 0
    git("add", "-A")
    assert git("commit", "-qm", "Start").returncode == 0
    for branch in ("mine", "yours"):
        git("checkout", "-q", "-b", branch, "main")
        assert revision(project, None, "-m", f"Change of {branch}").code == 0
        git("add", "-A")
        assert git("commit", "-qm", branch).returncode == 0
    merged = git("merge", "mine")
    assert merged.returncode != 0
    assert "CONFLICT (content): Merge conflict in alembic/revisions.lock" in merged.stdout
    # And until it is resolved no command takes the file for a list.
    found = run_alembic("upgrade", "head", "--sql", url=None, cwd=project)
    assert found.code != 0
