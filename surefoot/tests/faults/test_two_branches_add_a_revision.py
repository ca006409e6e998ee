"""Two branches add a revision behind the same one: `surefoot rebase` puts one behind the other."""

from __future__ import annotations

import sys

import pytest

from harness.databases import Database
from harness.repositories import Repository
from harness.runs import Chain, Launcher, Result
from surefoot.chain.lockfile import read_lock
from surefoot.project import Project

BACKFILL = '''"""Fill what 0002 has made."""

from surefoot import Backfill


class Fill(Backfill):
    after = "0002"
    table = "mine"
    todo = "id IS NULL"
    sets = {"id": "1"}
'''
DRIVER = f"{sys.executable} -c 'import surefoot.cli; surefoot.cli.main()' lock --merge %O %A %B"


@pytest.fixture
def repository(chain: Chain) -> Repository:
    """0001 on main, behind it 0002 of main, and on the branch mine 0002 and 0003."""
    made = Repository(chain)
    made.add("start", "start")
    made.git("switch", "-qc", "mine")
    made.add("mine", "mine")
    made.add("more", "more")
    path = chain.versions / "0003_more.py"
    text = path.read_text("utf-8").replace(
        "phase = 'expand'", "phase = 'contract'\nrequires_code = '0002'"
    )
    text = text.replace('Create more."""', 'Create more.\n\nRevision ID: 0003\nRevises: 0002\n"""')
    path.write_text(f"{text}\n# allow avoid-serial-key: 0002 of this branch, not 10002\n", "utf-8")
    path.chmod(0o755)
    backfills = chain.folder / "alembic" / "backfills"
    backfills.mkdir()
    (backfills / "fill.py").write_text(BACKFILL, "utf-8")
    chain.lock()
    made.git("add", "-A")
    made.git("commit", "-q", "--amend", "--no-edit")
    made.git("switch", "-q", "main")
    made.add("theirs", "theirs")
    made.git("switch", "-q", "mine")
    return made


async def rebase(
    repository: Repository, launcher: Launcher, database: Database, *options: str
) -> Result:
    return await launcher.surefoot(repository.chain, "rebase", *options, url=database.url)


def drive(repository: Repository) -> None:
    """Let git merge the lock as docs/branches.md says."""
    attributes = repository.chain.folder / ".git" / "info" / "attributes"
    attributes.write_text("revisions.lock merge=surefoot\n", "utf-8")
    repository.git("config", "merge.surefoot.driver", DRIVER)


def is_behind(repository: Repository) -> None:
    """Mine are behind theirs, and everything that names them says so."""
    chain = repository.chain
    assert repository.files == ["0001_start.py", "0002_theirs.py", "0003_mine.py", "0004_more.py"]
    revisions = Project.read(chain.ini).revisions()
    assert [(each.id, each.down) for each in revisions] == [
        ("0001", ()),
        ("0002", ("0001",)),
        ("0003", ("0002",)),
        ("0004", ("0003",)),
    ]
    assert revisions == read_lock(chain.lock_path)
    assert revisions[-1].requires_code == "0003"
    text = repository.read("0004_more.py")
    assert "\nRevision ID: 0004\nRevises: 0003\n" in text
    assert text.endswith("# allow avoid-serial-key: 0003 of this branch, not 10002\n")
    assert (chain.versions / "0004_more.py").stat().st_mode & 0o777 == 0o755
    fill = (chain.folder / "alembic" / "backfills" / "fill.py").read_text("utf-8")
    assert fill == BACKFILL.replace("0002", "0003")


@pytest.mark.slow
@pytest.mark.parametrize("style", ["merge", pytest.param("diff3", marks=pytest.mark.slow)])
async def test_in_the_middle_of_a_merge(
    repository: Repository, launcher: Launcher, empty_database: Database, style: str
) -> None:
    """The conflict of the lock is resolved, whichever form git gives it, and the merge goes on."""
    repository.git("-c", f"merge.conflictStyle={style}", "merge", "main", code=1)
    stopped = await launcher.alembic(repository.chain, "upgrade", "head", url=empty_database.url)
    assert (stopped.code, "has a conflict of git" in stopped.err) == (2, True), stopped.err
    assert "  help: run `surefoot rebase`: it puts your revisions behind theirs" in stopped.err
    before = repository.git("status", "--porcelain")
    shown = await rebase(repository, launcher, empty_database, "--dry-run")
    moved = (
        "  0002_mine.py -> 0003_mine.py, on 0002\n"
        "  0003_more.py -> 0004_more.py, on 0003\n"
        "  backfills/fill.py, the ids that it names\n"
        "  revisions.lock, its conflict\n"
    )
    assert (shown.code, shown.out) == (0, moved), shown.err
    assert shown.err == "nothing was written. Next: surefoot rebase\n"
    assert repository.git("status", "--porcelain") == before
    done = await rebase(repository, launcher, empty_database)
    assert (done.code, done.out) == (0, moved), done.err
    assert done.err == (
        "OK  2 revisions are behind 0002 of main; revisions.lock written\n"
        "A development database that has 0002, 0003 of this branch: surefoot db goto\n"
        "Next: git add -A alembic && git merge --continue\n"
    )
    is_behind(repository)
    assert None not in [each.verdict for each in read_lock(repository.chain.lock_path)[2:]]
    repository.git("add", "-A", "alembic")
    repository.git("merge", "--continue")
    again = await rebase(repository, launcher, empty_database)
    assert (again.code, again.out, again.err) == (
        0,
        "",
        "OK  nothing to rebase: 2 revisions are behind 0002 of main\n",
    )
    up = await launcher.alembic(repository.chain, "upgrade", "head", url=empty_database.url)
    assert (up.code, "OK  4 applied" in up.err) == (0, True), up.err


def in_branch(repository: Repository, identifier: str, down: str = "", **names: str) -> None:
    """A revision of a named branch, or behind one, in a commit."""
    chain = repository.chain
    chain.add("pass", identifier=identifier, down=down, lock=False)
    more = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    path = chain.path(identifier)
    path.write_text(path.read_text("utf-8").replace("phase =", f"{more}phase ="), "utf-8")
    chain.lock()
    repository.commit(identifier)


async def test_named_branches(chain: Chain, launcher: Launcher, empty_database: Database) -> None:
    """Mine stay in their branches, whatever depends on what; the name of a branch is no change."""
    made = Repository(chain)
    in_branch(made, "a1", branch_labels="shop")
    in_branch(made, "a2", "a1")
    in_branch(made, "b1", branch_labels="stock", depends_on="shop")
    made.git("switch", "-qc", "mine")
    in_branch(made, "a3_mine", "a2")
    in_branch(made, "b2_mine", "b1", depends_on="a3_mine")
    made.git("switch", "-q", "main")
    in_branch(made, "a3", "a2")
    in_branch(made, "b2", "b1", depends_on="a3")
    made.git("switch", "-q", "mine")
    made.git("merge", "main", code=1)
    done = await rebase(made, launcher, empty_database)
    assert done.code == 0, done.err
    assert "OK  2 revisions are behind a3 and b2 of main; revisions.lock written\n" in done.err
    found = {each.id: each.down for each in Project.read(chain.ini).revisions()}
    assert (found["a3_mine"], found["b2_mine"]) == (("a3",), ("b2", "a3_mine"))
    up = await launcher.alembic(chain, "upgrade", "heads", url=empty_database.url)
    assert (up.code, "OK  7 applied" in up.err) == (0, True), up.err
    made.commit("Merge")
    again = await rebase(made, launcher, empty_database, "--onto", "a3")
    assert "nothing to rebase: 2 revisions are behind a3 and b2 of main" in again.err


async def test_a_branch_that_mine_begins(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """It stays where it is, under another number, and mine of other branches are moved."""
    made = Repository(chain)
    in_branch(made, "0001")
    made.git("switch", "-qc", "mine")
    in_branch(made, "0002", "0001", branch_labels="side")
    in_branch(made, "0003", "0002")
    in_branch(made, "0004", "0001")
    made.git("switch", "-q", "main")
    in_branch(made, "0005", "0001")
    made.git("switch", "-q", "mine")
    made.git("merge", "main", code=1)
    done = await rebase(made, launcher, empty_database)
    assert done.code == 0, done.err
    assert "OK  1 revision is behind 0005 of main; revisions.lock written\n" in done.err
    found = {each.id: each.down for each in Project.read(chain.ini).revisions()}
    assert found == {
        "0001": (),
        "0005": ("0001",),
        "0006": ("0001",),
        "0007": ("0006",),
        "0008": ("0005",),
    }


@pytest.mark.slow
async def test_revisions_in_two_folders(
    repository: Repository, launcher: Launcher, empty_database: Database
) -> None:
    """The command of git that is named commits the files of both."""
    chain = repository.chain
    (chain.folder / "other one").mkdir()
    repository.git("mv", "alembic/versions/0003_more.py", "other one/")
    ini = chain.ini.read_text("utf-8")
    first = "%(here)s/alembic/versions"
    chain.ini.write_text(ini.replace(first, f"{first}:%(here)s/other one"), "utf-8")
    repository.commit("Two folders")
    repository.git("merge", "main", code=1)
    done = await rebase(repository, launcher, empty_database)
    assert done.code == 0, done
    next_ = done.err.splitlines()[-1]
    assert next_ == "Next: git add -A alembic 'other one' && git merge --continue"
    repository.git("add", "-A", "alembic", "other one")
    repository.git("merge", "--continue")
    assert repository.git("status", "--porcelain") == ""
    assert (chain.folder / "other one" / "0004_more.py").exists()


@pytest.mark.slow
async def test_in_the_middle_of_a_rebase_of_git(
    repository: Repository, launcher: Launcher, empty_database: Database
) -> None:
    """Each commit that stops is renumbered, and one means by an id what its own branch meant."""
    repository.git("rebase", "main", code=1)
    for _ in range(5):
        done = await rebase(repository, launcher, empty_database)
        assert done.code == 0, done.err
        assert done.err.endswith("&& git rebase --continue\n"), done.err
        repository.git("add", "-A")
        repository.git("rebase", "--continue", code=None)
        if not repository.git("status").startswith("interactive rebase in progress"):
            break
    assert repository.git("status", "--porcelain") == ""
    is_behind(repository)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["merge", "rebase"])
async def test_after_a_merge_driver_has_taken_both_sides(
    repository: Repository, launcher: Launcher, empty_database: Database, way: str
) -> None:
    """Git does not stop; the lock says what is to be done, and one rebase does all of it."""
    drive(repository)
    repository.git(way, "main")
    stopped = await launcher.alembic(repository.chain, "upgrade", "head", url=empty_database.url)
    assert "has 0002 a second time\n  help: run `surefoot rebase`" in stopped.err
    done = await rebase(repository, launcher, empty_database)
    assert done.code == 0, done.err
    assert done.err.endswith("Next: git add -A alembic && git commit\n")
    is_behind(repository)


@pytest.mark.slow
async def test_two_heads_name_the_command(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Ids that are no numbers do not collide: git merges the lock, and the chain has two heads."""
    repository, url = Repository(chain), empty_database.url
    repository.add("start", "start")
    repository.git("switch", "-qc", "mine")
    repository.add("mine", "mine", identifier="abc123", down="0001")
    repository.git("switch", "-q", "main")
    repository.add("theirs", "theirs", identifier="def456", down="0001")
    repository.git("switch", "-q", "mine")
    drive(repository)
    repository.git("merge", "main")
    refused = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert "Multiple head revisions" in refused.err
    assert "`surefoot rebase` puts one behind the other" in refused.err
    done = await rebase(repository, launcher, empty_database)
    assert (done.code, done.out) == (0, "  abc123_mine.py, on def456\n"), done.err
    up = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert (up.code, "OK  3 applied" in up.err) == (0, True), up.err


@pytest.mark.slow
async def test_nothing_is_lost_where_it_is_refused(
    repository: Repository, launcher: Launcher, empty_database: Database
) -> None:
    """Not merged yet, edited without a commit, onto a revision or a branch that is not there."""
    chain = repository.chain

    async def refused(code: int, *options: str) -> str:
        before = repository.git("status", "--porcelain"), repository.files
        done = await rebase(repository, launcher, empty_database, *options)
        assert (done.code, done.out) == (code, ""), done.err
        assert (repository.git("status", "--porcelain"), repository.files) == before
        return done.err

    assert await refused(3) == (
        "REFUSED [revisions-unmerged]  main has revisions that are not here yet: 0002_theirs\n"
        "  help: first `git merge main`, or `git rebase main`\n"
    )
    repository.git("merge", "main", code=1)
    start = chain.versions / "0001_start.py"
    text = start.read_text("utf-8")
    start.write_text(f"{text}# Edited.\n", "utf-8")
    assert await refused(3) == (
        "REFUSED [changes-uncommitted]  no commit has the changes of these files, which may be "
        "written:\n  0001_start.py\n  help: commit or stash them first; new revision files and "
        "revisions.lock may be uncommitted\n"
    )
    start.write_text(text, "utf-8")
    assert await refused(2, "--onto", "0020") == (
        "ERROR [revision-unknown]  the branch has no revision '0020'\n"
        "  help: did you mean '0002'? `alembic history` lists the revisions\n"
    )
    assert "0001 is not the newest revision of its line: 0002" in await refused(2, "--onto", "0001")
    mine = chain.versions / "0002_mine.py"
    text = mine.read_text("utf-8")
    mine.write_text(text.replace("phase", "<<<<<<< HEAD\nphase"), "utf-8")
    assert await refused(2) == (
        "ERROR [revisions-broken]  0002_mine.py:8 is not Python: invalid syntax\n"
        "  help: resolve the conflict of git in it\n"
    )
    mine.write_text(text, "utf-8")
    assert "git knows no branch or commit 'nowhere'\n" in await refused(2, "--upstream", "nowhere")
    assert "'maiin'; did you mean 'main'?" in await refused(2, "--upstream", "maiin")


async def test_one_name_for_two_revisions(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Whoever takes their own side of a file does not replace the revision of the main branch."""
    repository = Repository(chain)
    repository.add("start", "start")
    repository.git("switch", "-qc", "mine")
    repository.add("same", "mine")
    repository.git("switch", "-q", "main")
    repository.add("same", "theirs")
    repository.git("switch", "-q", "mine")
    repository.git("merge", "main", code=1)
    repository.git("checkout", "--ours", "alembic/versions/0002_same.py")
    before = chain.lock_path.read_bytes()
    refused = await rebase(repository, launcher, empty_database)
    assert (refused.code, refused.out, refused.err) == (
        3,
        "",
        "REFUSED [revision-released]  0002_same is released: main has it with other code; a "
        "database that has it would not know it any more\n"
        "  help: leave it, and write the change as a new revision\n",
    )
    assert chain.lock_path.read_bytes() == before


@pytest.mark.slow
async def test_two_revisions_with_one_code(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Two that do the same are two, where each has a file."""
    repository = Repository(chain)
    repository.add("start", "start")
    repository.git("switch", "-qc", "mine")
    repository.add("mine", "same")
    repository.git("switch", "-q", "main")
    repository.add("theirs", "same")
    repository.git("switch", "-q", "mine")
    repository.git("merge", "main", code=1)
    done = await rebase(repository, launcher, empty_database)
    assert done.out == "  0002_mine.py -> 0003_mine.py, on 0002\n  revisions.lock, its conflict\n"
    assert repository.files == ["0001_start.py", "0002_theirs.py", "0003_mine.py"]


@pytest.mark.slow
async def test_a_released_revision_is_refused(
    repository: Repository, launcher: Launcher, empty_database: Database
) -> None:
    """One that the main branch has, and one in the ledger of a target."""
    chain, url = repository.chain, empty_database.url
    up = await launcher.alembic(chain, "upgrade", "0002", url=url)
    assert up.code == 0, up.err
    repository.git("merge", "main", code=1)
    env = chain.folder / "alembic" / "env.py"
    env.write_text(
        env.read_text("utf-8").replace(").run()", f', targets={{"staging": {url!r}}}).run()'),
        "utf-8",
    )
    done = await rebase(repository, launcher, empty_database, "--target", "staging")
    assert done.err == (
        "REFUSED [revision-released]  0002_mine is released: staging has applied it; a database "
        "that has it would not know it any more\n"
        "  help: leave it, and write the change as a new revision\n"
    )
    assert (done.code, repository.files[1:3]) == (3, ["0002_mine.py", "0002_theirs.py"])
    repository.git("merge", "--abort")
    repository.git("branch", "other", "main~1")
    repository.git("switch", "-q", "main")
    refused = await rebase(repository, launcher, empty_database, "--upstream", "other")
    assert (refused.code, "0002_theirs is released: main has it" in refused.err) == (3, True)


@pytest.mark.slow
async def test_a_file_with_a_byte_order_mark(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Windows' editors write one; it stays, and the revision is judged as any other."""
    repository = Repository(chain)
    repository.add("start", "start")
    repository.git("switch", "-qc", "mine")
    repository.add("mine", "mine")
    path = chain.versions / "0002_mine.py"
    path.write_text(path.read_text("utf-8"), "utf-8-sig")
    repository.commit("mark")
    repository.git("switch", "-q", "main")
    repository.add("theirs", "theirs")
    repository.git("switch", "-q", "mine")
    repository.git("merge", "main", code=1)
    done = await rebase(repository, launcher, empty_database)
    assert done.code == 0, done.err
    assert (chain.versions / "0003_mine.py").read_bytes().startswith(b"\xef\xbb\xbf")
    assert None not in [each.verdict for each in read_lock(chain.lock_path)[1:]]


async def test_a_repository_without_a_commit(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """There is nothing to stand behind yet."""
    repository = Repository(chain)
    chain.add("pass", "pass")
    refused = await rebase(repository, launcher, empty_database)
    assert (refused.code, refused.err) == (
        2,
        "ERROR [usage]  git knows no branch that this one is to stand behind\n"
        "  help: name it: --upstream origin/main\n",
    )
