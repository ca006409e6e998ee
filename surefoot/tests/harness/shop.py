"""Shop is a foreign project in a folder, with its own models and revisions.

It is set up as docs/testing.md says, and its tests run in a process of their own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

from harness.server import LIBRARY
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions

INI = """\
[alembic]
script_location = %(here)s/migrations
prepend_sys_path = %(here)s
path_separator = os
"""
# The files of docs/testing.md, by their paths.
_FILE = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)
DOCUMENTED = dict(_FILE.findall((LIBRARY / "docs/testing.md").read_text("utf-8")))
MODELS = """\
import sqlalchemy as sa

metadata = sa.MetaData()
customers = sa.Table(
    "customers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("mail", sa.Text, nullable=False),
    sa.Column("city", sa.Text),
)
sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("customer_id", sa.Integer, sa.ForeignKey("customers.id"), nullable=False),
    sa.Column("state", sa.Text, sa.CheckConstraint("state IN ('new', 'paid')", name="states")),
    sa.Column("euros", sa.Numeric(12, 2)),
)
"""
REVISIONS = {
    "0001_create_customers": (
        """
        op.create_table(
            "customers",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("mail", sa.Text, nullable=False),
        )
        """,
        "op.drop_table('customers')",
    ),
    "0002_create_orders": (
        """
        op.create_table(
            "orders",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("customer_id", sa.Integer, sa.ForeignKey("customers.id"), nullable=False),
            sa.Column("state", sa.Text),
            sa.Column("euros", sa.Numeric(12, 2)),
            sa.CheckConstraint("state IN ('new', 'paid')", name="states"),
        )
        """,
        "op.drop_table('orders')",
    ),
    "0003_add_city_to_customers": (
        "op.add_column('customers', sa.Column('city', sa.Text))",
        "op.drop_column('customers', 'city')",
    ),
}


class Shop:
    """The project's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.versions = folder / "migrations" / "versions"
        self.versions.mkdir(parents=True)
        for path, text in {
            **DOCUMENTED,
            "alembic.ini": INI,
            "pytest.ini": "[pytest]\npythonpath = .\n",
            "shop/models.py": MODELS,
        }.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, "utf-8")
        for name, (upgrade, downgrade) in REVISIONS.items():
            self.revise(name, upgrade, downgrade)

    def tell(self, told: str) -> None:
        """Pass these arguments to ChainTests too."""
        self.edit("tests/test_migrations.py", "metadata)\n", f"metadata, {told})\n")

    def model(self, before: str, after: str) -> None:
        """Change the models."""
        self.edit("shop/models.py", before, after)

    def edit(self, name: str, before: str, after: str) -> None:
        """Change a file."""
        path = self.folder / name
        text = path.read_text("utf-8")
        assert before in text
        path.write_text(text.replace(before, after), "utf-8")

    def revise(
        self,
        name: str,
        upgrade: str,
        downgrade: str = "pass",
        *,
        down: str | tuple[str, ...] | None = None,
        docstring: str = "Change the shop.",
        imports: str = "",
        lock: bool = True,
    ) -> Path:
        """Write a revision after the newest, and revisions.lock with it."""
        identifier = name.partition("_")[0]
        older = [revision.id for revision in read_revisions(self.versions)]
        down = down or (older[-1] if older else None)
        path = self.versions / f"{name}.py"
        path.write_text(
            f'"""{docstring}"""\n\nimport sqlalchemy as sa\nfrom alembic import op\n{imports}\n'
            f"revision = {identifier!r}\ndown_revision = {down!r}\nphase = 'expand'\n\n\n"
            f"def upgrade():\n{_indented(upgrade)}\n\n\n"
            f"def downgrade():\n{_indented(downgrade)}\n",
            "utf-8",
        )
        if lock:
            self.lock()
        return path

    def lock(self) -> None:
        """Write revisions.lock without fingerprints and verdicts."""
        write_lock(self.versions.parent / "revisions.lock", read_revisions(self.versions))

    def pytest(self, server_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run pytest in the folder."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(LIBRARY / "src"),
                "SHOP_SCRATCH_URL": server_url,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def test(self, server_url: str, *arguments: str) -> dict[str, str]:
        """Run the tests: what each came to, by its name."""
        report = self.folder / "report.xml"
        done = self.pytest(server_url, f"--junitxml={report}", *arguments)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        cases = ElementTree.parse(report).iter("testcase")
        found = {case.get("name", ""): _came_to(case) for case in cases}
        assert (done.returncode == 1) == bool(failures(found)), done.stdout
        return found


def failures(results: dict[str, str]) -> dict[str, str]:
    """The tests that failed, with all that they said."""
    return {
        name: text
        for name, text in results.items()
        if text != "passed" and not text.startswith("skipped: ")
    }


def _came_to(case: ElementTree.Element) -> str:
    for outcome in case:
        if outcome.tag == "skipped":
            return f"skipped: {outcome.get('message')}"
        if outcome.tag in ("failure", "error"):
            return outcome.text or ""
    return "passed"


def _indented(body: str) -> str:
    return textwrap.indent(textwrap.dedent(body).strip(), "    ")
