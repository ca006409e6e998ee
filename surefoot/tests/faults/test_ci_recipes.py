"""The hooks and recipes for CI are read as YAML, and all their commands are run, in a repository.

Programs that reach others, pip, gh and curl, are stand-ins that write down how they were called.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.databases import Database
from harness.runs import Chain, Launcher
from harness.server import LIBRARY
from surefoot.planning.markdown import LONGEST

TABLE = ('op.create_table("t", sa.Column("id", sa.Integer()))', 'op.drop_table("t")')
INDEX = ('op.create_index("ix_t_id", "t", ["id"])', 'op.drop_index("ix_t_id")')
COLUMN = ('op.add_column("t", sa.Column("n", sa.Integer()))', 'op.drop_column("t", "n")')
BASH = {
    "github": ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"],
    "gitlab": ["bash", "-e", "-c"],
}
STAND_IN = '#!/bin/sh\necho "${0##*/} $*" >> "$CALLED"\n'


def read(name: str) -> Any:
    return yaml.safe_load((LIBRARY / name).read_text("utf-8"))


def jobs(host: str) -> Mapping[str, Mapping[str, Any]]:
    """The jobs of a recipe."""
    found = read(f"docs/ci/{host}.yml")
    return dict(found["jobs"] if host == "github" else found)


def scripts(host: str, job: str) -> Iterator[str]:
    """The scripts of a job as its host runs them, in their order."""
    found = jobs(host)[job]
    if host == "github":
        yield from (step["run"] for step in found["steps"] if "run" in step)
        return
    before = jobs(host)[found["extends"]]["before_script"]
    yield "\n".join([*before, *found["script"]])
    if "after_script" in found:
        yield "\n".join(found["after_script"])


class Repository:
    """A clone with a branch, whose upstream has the first revision."""

    def __init__(self, chain: Chain, url: str) -> None:
        self.chain, self.url = chain, url
        self.called = chain.folder.parent / "called"
        self.called.touch()
        self.programs = chain.folder.parent / "programs"
        self.programs.mkdir()
        for name in ("pip", "gh", "curl"):
            (self.programs / name).write_text(STAND_IN, "utf-8")
            (self.programs / name).chmod(0o755)
        chain.add(*TABLE)
        self.run("git init -qb main && git remote add origin . && git add -A && git commit -qm One")
        self.run("git update-ref refs/remotes/origin/main HEAD && git switch -qc branch")

    def run(self, script: str, host: str = "github") -> subprocess.CompletedProcess[str]:
        """The result of a script, with the variables of both hosts."""
        paths = (self.programs, Path(sys.executable).parent, os.environ["PATH"])
        env = {
            **os.environ,
            "PATH": os.pathsep.join(map(str, paths)),
            "PYTHONPATH": os.pathsep.join([str(LIBRARY / "src"), str(LIBRARY / "tests")]),
            "DATABASE_URL": self.url,
            "SUREFOOT_TEST_SCRATCH_URL": self.url,
            "CALLED": str(self.called),
            "GITHUB_BASE_REF": "main",
            "GITHUB_STEP_SUMMARY": str(self.called.with_name("summary.md")),
            "NUMBER": "7",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_API_V4_URL": "https://gitlab.example/api/v4",
            "CI_PROJECT_ID": "1",
            "CI_MERGE_REQUEST_IID": "7",
            "PLANNER_TOKEN": "token",
            **{f"GIT_{who}_{what}": "dev@example.org" for who in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")},
        }  # fmt: skip
        return subprocess.run(
            [*BASH[host], script],
            cwd=self.chain.folder, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def commit(self, upgrade: str, downgrade: str) -> None:
        """A commit with one more revision."""
        self.chain.add(upgrade, downgrade)
        self.run("git add -A && git commit -qm More")

    def file(self, name: str) -> str:
        return (self.chain.folder / name).read_text("utf-8")


@pytest.fixture
async def repository(chain: Chain, launcher: Launcher, empty_database: Database) -> Repository:
    """The branch has an index that blocks writers; the database has the revision before it."""
    found = Repository(chain, empty_database.url)
    applied = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert applied.code == 0, applied.err
    found.commit(*INDEX)
    return found


@pytest.mark.slow
def test_every_step_on_github_does_what_it_says(repository: Repository) -> None:
    """The lint fails with an annotation; summary and comment are the plan."""
    pip, lock, annotate, sarif = scripts("github", "lint")
    for script in (pip, lock, sarif):
        assert (done := repository.run(script)).returncode == 0, done.stderr
    found = repository.run(annotate)
    assert found.returncode == 1
    assert found.stdout.startswith("::error file=alembic/versions/0002_change.py,line=12,endLine=")
    (run,) = json.loads(repository.file("surefoot.sarif"))["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["require-concurrent-index"]
    pip, plan, comment = scripts("github", "plan")
    assert repository.run(plan).returncode == 1
    shown = repository.file("plan.md")
    assert shown.startswith("### Plan: 1 revision to apply to ")
    assert len(shown) <= LONGEST
    assert repository.called.with_name("summary.md").read_text("utf-8") == shown
    assert repository.run(comment).returncode == 0
    assert repository.called.read_text("utf-8").splitlines() == [
        "pip install -e .",
        "gh pr comment 7 --body-file plan.md --edit-last --create-if-none",
    ]


@pytest.mark.slow
def test_every_script_on_gitlab_does_what_it_says(repository: Repository) -> None:
    """The report has the finding, the comment is the plan, and both jobs fail."""
    (lint,) = scripts("gitlab", "lint")
    assert (done := repository.run(lint, "gitlab")).returncode == 1, done.stderr
    (finding,) = json.loads(repository.file("gl-code-quality-report.json"))
    assert finding["check_name"] == "require-concurrent-index"
    plan, comment = scripts("gitlab", "plan")
    assert repository.run(plan, "gitlab").returncode == 1
    assert repository.file("plan.md").startswith("### Plan: 1 revision to apply to ")
    assert repository.run(comment, "gitlab").returncode == 0
    assert repository.called.read_text("utf-8").splitlines()[-1] == (
        "curl --fail --request POST --header PRIVATE-TOKEN: token --form body=<plan.md "
        "https://gitlab.example/api/v4/projects/1/merge_requests/7/notes"
    )


@pytest.mark.slow
async def test_a_recipe_passes_where_nothing_would_hurt(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """On both hosts."""
    repository = Repository(chain, empty_database.url)
    repository.commit(*COLUMN)
    for host in BASH:
        for job in ("lint", "plan"):
            for script in scripts(host, job):
                done = repository.run(script, host)
                assert done.returncode == 0, (script, done.stderr)


def test_all_of_a_recipe_is_run() -> None:
    """Every job and every command of it: none is in a place that the tests before do not read."""
    github = read("docs/ci/github.yml")
    assert github["defaults"] == {"run": {"shell": "bash"}}
    assert set(jobs("github")) == {"lint", "plan"}
    steps = [step for job in jobs("github").values() for step in job["steps"]]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")]
    assert set(jobs("gitlab")) == {".migrations", "lint", "plan"}
    known = {"extends", "variables", "script", "after_script", "artifacts"}
    assert {*jobs("gitlab")["lint"], *jobs("gitlab")["plan"]} <= known


HOOKS = {hook["id"]: hook for hook in read(".pre-commit-hooks.yaml")}


def test_the_hooks_are_what_pre_commit_reads() -> None:
    """The keys that it requires, and no program that it would install."""
    assert set(HOOKS) == {"surefoot-lint", "surefoot-lock"}
    for hook in HOOKS.values():
        assert set(hook) == {
            "id", "name", "description", "entry", "language", "files", "pass_filenames"
        }  # fmt: skip
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)
    page = (LIBRARY / "docs" / "pull-requests.md").read_text("utf-8")
    (repo,) = yaml.safe_load(page.split("```yaml\n", 1)[1].split("```", 1)[0])["repos"]
    described = [{k: v for k, v in hook.items() if k != "description"} for hook in HOOKS.values()]
    assert repo == {"repo": "local", "hooks": described}


@pytest.mark.slow
async def test_the_hooks_stop_a_commit(repository: Repository) -> None:
    """One that would hurt, and one with a stale lock; they let pass what is in order."""
    lint, lock = (HOOKS[name]["entry"] for name in ("surefoot-lint", "surefoot-lock"))
    assert repository.run(lint).returncode == 0
    repository.chain.add(*(each.replace("ix_t_id", "ix_t_more") for each in INDEX))
    repository.run("git add -A")
    found = repository.run(lint)
    assert (found.returncode, "require-concurrent-index" in found.stdout) == (1, True)
    assert repository.run(lock).returncode == 0
    path = repository.chain.path("0003")
    path.write_text(path.read_text("utf-8").replace("ix_t_more", "ix_t"), "utf-8")
    stale = repository.run(lock)
    assert stale.returncode != 0
    assert "lock-file-stale" in stale.stderr
