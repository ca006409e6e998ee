"""`surefoot lint` in a git repository: which files, which levels, and the safe form written."""

from __future__ import annotations

import json
import subprocess

import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from surefoot.chain.lockfile import baseline
from surefoot.chain.revisions import read_revisions

TABLE = (
    'op.create_table("t", sa.Column("id", sa.Integer(), primary_key=True), '
    'sa.Column("a", sa.Integer()), sa.Column("b", sa.Text()))',
    'op.drop_table("t")',
)
INDEX = ('op.create_index("ix_t_a", "t", ["a"])', 'op.drop_index("ix_t_a")')
BACKFILL = """
from surefoot import Backfill


class Fill(Backfill):
    after = "0001"
    table = "t"
    todo = "b IS NULL"
    sets = {"b": "coalesce(a::text, '')"}
"""


def git(chain: Chain, *words: str) -> None:
    identity = ["-c", "user.name=dev", "-c", "user.email=dev@example.org"]
    subprocess.run(["git", *identity, *words], cwd=chain.folder, check=True, capture_output=True)


@pytest.fixture
def service(chain: Chain) -> Chain:
    """A repository whose default branch has one revision."""
    chain.add(*TABLE)
    git(chain, "init", "-q", "-b", "main")
    git(chain, "add", "-A")
    git(chain, "commit", "-qm", "Start")
    git(chain, "remote", "add", "origin", ".")
    git(chain, "update-ref", "refs/remotes/origin/main", "HEAD")
    return chain


def configure(chain: Chain, text: str) -> None:
    (chain.folder / "pyproject.toml").write_text(f"[tool.surefoot.lint]\n{text}\n", "utf-8")


@pytest.mark.slow
async def test_levels_of_the_project_decide_and_options_go_before_them(
    service: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """A rule that is off reports nothing, a small table gives a warning, and an option wins."""
    service.add(*INDEX)
    url = empty_database.url

    async def lint(*options: str) -> tuple[int, list[tuple[str, str]]]:
        found = await launcher.surefoot(service, "lint", "0002", "--json", *options, url=url)
        findings = json.loads(found.out)["findings"] if found.out else []
        return found.code, [(each["rule"], each["level"]) for each in findings]

    rule = "require-concurrent-index"
    assert await lint() == (1, [(rule, "error")])
    configure(service, 'small-tables = ["t"]')
    assert await lint() == (0, [(rule, "warning")])
    assert await lint("--strict") == (1, [(rule, "warning")])
    configure(service, f'fail-on = "never"\nlevels = {{ {rule} = "off" }}')
    assert await lint() == (0, [])
    assert await lint("--level", f"{rule}=error", "--fail-on", "error") == (1, [(rule, "error")])
    configure(service, 'fail_on = "never"')
    refused = await launcher.surefoot(service, "lint", url=url)
    assert refused.code == 2
    assert "there is no key 'fail_on'; did you mean 'fail-on'?" in refused.err


@pytest.mark.slow
async def test_staged_files_are_linted_before_a_commit(
    service: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Others are not, and a path begins at the root of the repository."""
    url = empty_database.url
    nothing = await launcher.surefoot(service, "lint", "--staged", url=url)
    assert (nothing.code, nothing.err) == (0, "no revision is staged: nothing to lint\n")
    service.add(*INDEX)
    git(service, "add", "-A")
    service.add('op.drop_column("t", "b")')
    path = service.path("0002")
    path.write_text(path.read_text("utf-8") + "# edited\n", "utf-8")
    service.lock()
    found = await launcher.surefoot(service, "lint", "--staged", "--format", "gitlab", url=url)
    assert found.code == 1
    (finding,) = json.loads(found.out)
    assert finding["location"] == {
        "path": "alembic/versions/0002_change.py",
        "lines": {"begin": 12, "end": 12},
    }
    assert "0002_change.py was edited after it was staged" in found.err
    both = await launcher.surefoot(service, "lint", "--staged", "0002", url=url)
    assert (both.code, "one of them" in both.err) == (2, True)


@pytest.mark.slow
async def test_a_suppression_is_shown_with_its_scope(
    service: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """At its statement it leaves the others."""
    other = INDEX[0].replace("ix_t_a", "ix_t_b").replace('["a"]', '["b"]')
    allowed = "# allow require-concurrent-index: t is small\n"
    service.add(f"{allowed}{INDEX[0]}\n{other}", INDEX[1])
    found = await launcher.surefoot(service, "lint", "0002", url=empty_database.url)
    assert found.code == 1
    assert found.out.count("error [require-concurrent-index]") == 1
    assert "until ix_t_b is built" in found.out
    assert (
        "0002_change.py:12\n  allowed [require-concurrent-index]  at line 13: t is small\n"
    ) in found.err
    assert "0 warnings in 1 revision, 1 allowed by the files" in found.err


SEVERAL = (
    "op.execute(\"UPDATE t SET b = 'x' WHERE id = 1\")\n"
    'op.create_index("ix_t_a", "t", ["a"])\n'
    'op.create_check_constraint("ck_t_a", "t", "a > 0")',
    'op.drop_constraint("ck_t_a", "t", type_="check")\nop.drop_index("ix_t_a")',
)


@pytest.mark.slow
async def test_the_safe_form_is_written_and_linted_again(
    service: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The file keeps its other statements; what has to be alone gets a revision of its own."""
    service.add(*SEVERAL)
    url = empty_database.url
    asked = await launcher.surefoot(service, "lint", "0002", "--fix", url=url)
    assert (asked.code, "add --yes" in asked.err) == (2, True)
    assert service.ids == ["0001", "0002"]
    found = await launcher.surefoot(service, "lint", "0002", "--fix", "--yes", url=url)
    assert found.code == 0, found.err
    assert service.ids == ["0001", "0002", "0003", "0004"]
    assert "--- a/alembic/versions/0002_change.py" in found.out
    assert '-    op.create_index("ix_t_a", "t", ["a"])' in found.out
    source = service.path("0002").read_text("utf-8")
    assert source.startswith('"""Change 0002."""')
    assert "UPDATE t SET b = 'x' WHERE id = 1" in source
    assert "postgresql_not_valid=True" in source
    assert "ix_t_a" not in source
    _, _, index, proof = read_revisions(service.versions)
    assert (index.down, proof.down) == (("0002",), ("0003",))
    texts = [each.path.read_text("utf-8") for each in (index, proof) if each.path]
    assert "op.create_index_concurrently(" in texts[0]
    assert "op.validate_constraint(" in texts[1]
    assert "0 errors, 0 warnings in 3 revisions" in found.err
    for command in (("upgrade", "head"), ("downgrade", "base")):
        run = await launcher.alembic(service, *command, url=url)
        assert run.code == 0, run.err


@pytest.mark.slow
async def test_a_released_revision_is_not_fixed(
    service: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """By the lock of the other branch, by the database, and where nobody knows."""
    service.add(*INDEX)
    before = service.path("0002").read_text("utf-8")
    fix = ("lint", "0002", "--fix", "--yes")
    url = empty_database.url
    run = await launcher.alembic(service, "upgrade", "head", url=url)
    assert run.code == 0, run.err
    applied = await launcher.surefoot(service, *fix, url=url)
    assert (applied.code, "0002 is applied to the database" in applied.err) == (2, True)
    git(service, "add", "-A")
    git(service, "commit", "-qm", "Index")
    git(service, "update-ref", "refs/remotes/origin/main", "HEAD")
    released = await launcher.surefoot(service, *fix, url=url)
    assert released.code == 2
    assert "0002 is released: revisions.lock of origin/main has it" in released.err
    git(service, "update-ref", "-d", "refs/remotes/origin/main")
    unknown = await launcher.surefoot(service, *fix, url=url)
    assert (unknown.code, "git knows no upstream of this branch" in unknown.err) == (2, True)
    named = await launcher.surefoot(service, *fix, "--since", "HEAD", url=url)
    assert "0002 is released: revisions.lock of HEAD has it" in named.err
    assert service.path("0002").read_text("utf-8") == before
    assert service.ids == ["0001", "0002"]


@pytest.mark.slow
async def test_a_rule_is_explained_with_the_names_of_a_finding(
    service: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """By the revision or by the place; where it has no finding that is said."""
    service.add(*INDEX)
    rule, path = "require-concurrent-index", "alembic/versions/0002_change.py"
    url = empty_database.url
    found = await launcher.surefoot(service, "explain", rule, f"{path}:12", url=url)
    assert found.code == 0, found.err
    assert 'op.create_index_concurrently(op.f("ix_t_a"), "t", ["a"], unique=False)' in found.out
    assert "See https://www.postgresql.org/docs/current/sql-createindex.html" in found.out
    none = await launcher.surefoot(service, "explain", rule, "0001", url=url)
    assert (none.code, f"{rule} has no finding at 0001" in none.err) == (2, True)
    unknown = await launcher.surefoot(service, "explain", rule, "0009", url=url)
    assert (
        unknown.code,
        "no revision is '0009'\n  help: did you mean '0002'? " in unknown.err,
    ) == (2, True)


@pytest.mark.slow
async def test_a_backfill_that_was_changed_is_linted(
    service: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """With --staged and --since, also where no revision was changed."""
    url, folder = empty_database.url, service.folder / "alembic" / "backfills"
    folder.mkdir()
    (folder / "t_b.py").write_text(BACKFILL, "utf-8")
    service.lock()
    git(service, "add", "-A")
    for option in (["--staged"], ["--since", "origin/main"], ["--since", "origin/main", "--json"]):
        linted = await launcher.surefoot(service, "lint", *option, url=url)
        assert (linted.code, linted.err) == (0, "0 errors, 0 warnings in 1 backfill\n")
    assert json.loads(linted.out)["backfills"] == 1
    git(service, "commit", "-qm", "Fill b")
    nothing = await launcher.surefoot(service, "lint", "--staged", url=url)
    assert (nothing.code, nothing.err) == (0, "no revision is staged: nothing to lint\n")


@pytest.mark.sample(2)
@pytest.mark.parametrize("spoiled", ["stale", "in conflict", "empty"])
async def test_lint_and_plan_stop_at_a_lock_that_no_run_accepts(
    chain: Chain, launcher: Launcher, empty_database: Database, spoiled: str
) -> None:
    """One sentence and the command that helps; in a format one finding, and none of a revision."""
    chain.add(*TABLE)
    chain.add(*INDEX)
    chain.lock(baseline=["0001"])
    text = chain.lock_path.read_text("utf-8")
    if spoiled == "stale":
        path = chain.path("0002")
        path.write_text(path.read_text("utf-8").replace("ix_t_a", "ix_t_b"), "utf-8")
    else:
        chain.lock_path.write_text("" if spoiled == "empty" else f"<<<<<<< HEAD\n{text}", "utf-8")
    code = "lock-file-stale" if spoiled == "stale" else "revisions-broken"
    for command in ("lint", "plan"):
        said = await launcher.surefoot(chain, command, url=empty_database.url)
        assert said.out == ""
        assert said.err.startswith(f"ERROR [{code}]  ")
        assert ("surefoot rebase`" if spoiled == "in conflict" else "surefoot lock`") in said.err
        told = await launcher.surefoot(chain, command, "--format", "gitlab", url=empty_database.url)
        assert [each["check_name"] for each in json.loads(told.out)] == [code]
        assert (told.code, told.err) == (said.code, said.err)
    found = json.loads(
        (await launcher.surefoot(chain, "lint", "--json", url=empty_database.url)).out
    )
    (finding,) = found["findings"]
    assert (finding["path"], finding["allow"]) == ("alembic/revisions.lock", None)
    assert found["revisions"] == 0
    # The command does help, and keeps the baseline where the file has it.
    written = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert (written.code, written.out) == (0, ""), written.err
    assert baseline(chain.lock_path) == (set() if spoiled == "empty" else {"0001"})
    said = await launcher.surefoot(chain, "lock", "--check", url=empty_database.url)
    assert said.code == 0, said.err


@pytest.mark.slow
async def test_lint_leaves_the_past_alone_unless_it_is_named(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Without arguments it judges what comes after the baseline."""
    chain.add(*TABLE)
    chain.add(*INDEX)
    chain.lock(baseline=["0002"])
    url = empty_database.url
    nothing = await launcher.surefoot(chain, "lint", url=url)
    assert (nothing.code, nothing.out, nothing.err) == (
        0,
        "",
        "no revision after the baseline: nothing to lint\n",
    )
    named = await launcher.surefoot(chain, "lint", "0002", url=url)
    assert (named.code, "[require-concurrent-index]" in named.out) == (1, True), named.err
    chain.add(INDEX[0].replace("t_a", "t_b"), INDEX[1].replace("t_a", "t_b"), lock=False)
    chain.lock(baseline=["0002"])
    new = await launcher.surefoot(chain, "lint", url=url)
    assert (new.code, "in 1 revision" in new.err) == (1, True), new.err
    assert "0003_change.py" in new.out
    assert "0002_change.py" not in new.out


async def test_a_comment_is_not_unused_where_there_was_no_row_to_see_it(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Tables that are created in the same run have none; beside rows the comment is judged."""
    chain.add("op.execute('CREATE TABLE a (n int)')\nop.execute('CREATE TABLE b (n int)')")
    for copies in (True, False):
        number = chain.add("op.execute('INSERT INTO b SELECT n FROM a')" if copies else "pass")
        (path,) = chain.versions.glob(f"{number}_*.py")
        text = path.read_text("utf-8")
        path.write_text(f"{text}\n# allow avoid-unbatched-change: there are few\n", "utf-8")
    url = empty_database.url
    for revisions, unused in ((("0001", "0002"), 0), (("0002",), 0), ((), 1)):
        done = await launcher.surefoot(chain, "lint", *revisions, url=url)
        assert done.out.count("avoid-unused-suppression") == unused, done.out
