"""A chain of revisions in a repository of git, and what two branches do to it."""

from __future__ import annotations

import os
import subprocess

from harness.runs import Chain

IDENTITY = ("-c", "user.name=dev", "-c", "user.email=dev@example.org")
# Neither the configuration of this machine nor a question in an editor.
_ENV = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_EDITOR": "true"}


class Repository:
    """The folder of a chain under version control; its branch is main."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        (chain.folder / ".gitignore").write_text("__pycache__/\n", "utf-8")
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, code: int | None = 0) -> str:
        """The output of git. On failure: AssertionError, where its exit code is another one."""
        done = subprocess.run(
            ["git", *IDENTITY, *words],
            cwd=self.chain.folder,
            env={**os.environ, **_ENV},
            capture_output=True,
            text=True,
            check=False,
        )
        assert code is None or done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout

    def commit(self, message: str = "Change") -> None:
        """Commit all that there is."""
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def add(self, slug: str, table: str, **options: str) -> str:
        """A revision that creates a table, under a name of its own, in a commit."""
        chain = self.chain
        create = f"op.execute('CREATE TABLE {table} (id bigint PRIMARY KEY)')"
        identifier = chain.add(create, f"op.execute('DROP TABLE {table}')", lock=False, **options)
        path = chain.path(identifier).rename(chain.versions / f"{identifier}_{slug}.py")
        text = path.read_text("utf-8").replace(f"Change {identifier}.", f"Create {table}.")
        path.write_text(text, "utf-8")
        chain.lock()
        self.commit(slug)
        return identifier

    @property
    def files(self) -> list[str]:
        """The names of the revision files."""
        return sorted(path.name for path in self.chain.versions.glob("*.py"))

    def read(self, name: str) -> str:
        """The text of a revision file."""
        return (self.chain.versions / name).read_text("utf-8")
