"""The wheel of the library needs little, and changes nothing for projects that do not use it."""

import re
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from harness.databases import Database
from harness.installation import Installation, Outcome
from surefoot import __version__

# A service has them; the library does not need them.
OF_A_SERVICE = ("app", "fastapi", "uvicorn", "pydantic_settings", "prometheus_client", "jinja2")
IMPORT_ALL = """
import importlib, pkgutil, sys, surefoot
for name in surefoot.__all__:
    getattr(surefoot, name)
import surefoot.cli
print(surefoot.__file__)
print(*sorted(sys.modules))
"""
REVISION = '''"""Create things."""

import sqlalchemy as sa
from alembic import op

revision = "1f3a5c7e9b2d"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("things", sa.Column("id", sa.BigInteger, primary_key=True))


def downgrade() -> None:
    op.drop_table("things")
'''
# With the exit codes of Alembic itself.
COMMANDS = {
    "--version": 0,
    "history --verbose": 0,
    "upgrade head": 0,
    "current": 0,
    "check": 255,
    "upgrade nowhere": 255,
    "downgrade base": 0,
    "upgrade head --sql": 0,
    "upgrad": 2,
}


@pytest.mark.slow
def test_the_library_runs_where_nothing_else_is_installed(installation: Installation) -> None:
    """Its command answers, and all public names can be imported without a service's packages."""
    asked = installation.run("surefoot", "--version", cwd=Path("/"))
    assert asked == Outcome(0, f"{__version__}\n", "")
    imported = installation.run("python", "-c", IMPORT_ALL, cwd=Path("/"))
    assert imported.exit_code == 0, imported.err
    place, modules = imported.out.splitlines()
    assert Path(place).is_relative_to(installation.folder)
    assert set(OF_A_SERVICE).isdisjoint(modules.split())


@pytest.mark.slow
def test_the_wheel_requires_what_the_library_needs(wheel: Path) -> None:
    """Everything else is an extra, and the files of the page are in it."""
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        found = message_from_bytes(opened.read(metadata))
    required = [text for text in found.get_all("Requires-Dist", []) if "extra ==" not in text]
    assert {re.split(r"[<>=~!]", text)[0] for text in required} == {
        "alembic",
        "anyio",
        "asyncpg",
        "click",
        "sqlalchemy[asyncio]",
    }
    assert set(found.get_all("Provides-Extra", [])) == {
        "embedded",
        "lint",
        "otel",
        "testing",
        "web",
    }
    assert {"surefoot/web/page.html", "surefoot/web/style.css"} <= set(names)
    assert {name.partition("/")[0] for name in names} == {
        "surefoot",
        f"surefoot-{__version__}.dist-info",
    }


@pytest.mark.slow
def test_a_project_that_does_not_use_the_library_does_not_notice_it(
    stock: Installation, installation: Installation, tmp_path: Path, empty_database: Database
) -> None:
    """Alembic's output, errors and exit codes are the same, byte for byte."""
    assert stock.run("python", "-c", "import surefoot", cwd=tmp_path).exit_code == 1
    made = stock.run("alembic", "init", "--template", "async", "migrations", cwd=tmp_path)
    assert made.exit_code == 0, made.err
    (tmp_path / "migrations" / "versions" / "1f3a5c7e9b2d_things.py").write_text(REVISION, "utf-8")
    ini = tmp_path / "alembic.ini"
    url = re.sub(r"^\w+", "postgresql+asyncpg", empty_database.url).replace("%", "%%")
    line = re.compile(r"^sqlalchemy.url = .*$", re.MULTILINE)
    ini.write_text(line.sub(lambda _: f"sqlalchemy.url = {url}", ini.read_text("utf-8")), "utf-8")
    without = {each: stock.run("alembic", *each.split(), cwd=tmp_path) for each in COMMANDS}
    with_it = {each: installation.run("alembic", *each.split(), cwd=tmp_path) for each in COMMANDS}
    assert {each: found.exit_code for each, found in without.items()} == COMMANDS
    assert with_it == without
