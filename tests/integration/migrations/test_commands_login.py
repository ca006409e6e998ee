"""Alembic as a process on a server that lets in whom it knows, and lets them do what they may."""

from pathlib import Path
from urllib.parse import quote

import pytest

from harness.databases import Database, value
from harness.forks import Result
from harness.guarded import PASSWORD
from tests.support.project import run_alembic


@pytest.mark.slow
def test_a_password_of_reserved_characters_passes_through_alembic(guarded: Path) -> None:
    """A `%` would be interpolated, if the URL came near Alembic's configuration."""
    url = f"postgresql://guarded:{quote(PASSWORD, safe='')}@/vegafs_dev?host={guarded}"
    result = run_alembic("upgrade", "head", url=url)
    assert result.code == 0, result
    assert run_alembic("current", url=url).code == 0


@pytest.mark.slow
def test_a_wrong_password_is_one_message(guarded: Path) -> None:
    """Who was refused where and why, and nothing of the password."""
    url = f"postgresql://guarded:S3cret@/vegafs_dev?host={guarded}"
    assert run_alembic("upgrade", "head", url=url) == Result(
        2,
        "",
        f"ERROR [login-refused]  {guarded} refused the login of 'guarded': "
        'password authentication failed for user "guarded"\n'
        "  help: check user and password in DATABASE_URL "
        "(reserved characters in a password are written %XX)\n",
    )


def test_a_missing_database_is_one_message(database: Database) -> None:
    """The name that is missing, and the command that makes it."""
    url = database.url.replace(database.name, "nowhere")
    result = run_alembic("upgrade", "head", url=url)
    assert result.code == 2
    assert result.err.startswith("ERROR [database-missing]  there is no database 'nowhere' on /")
    assert "help: create it with `createdb nowhere`, or correct DATABASE_URL" in result.err


@pytest.mark.slow
async def test_a_role_without_rights_is_one_message(empty_database: Database) -> None:
    """The missing privilege and the role are named, with nothing applied."""
    role = f"{empty_database.name}_reader"
    await value(empty_database.url, f"CREATE ROLE {role} LOGIN")
    url = empty_database.url.replace("://tester@", f"://{role}@")
    result = run_alembic("upgrade", "head", url=url)
    await value(empty_database.url, f"DROP ROLE {role}")
    assert result == Result(
        2,
        "",
        f"ERROR [permission-missing]  {role!r} may not do this in {empty_database.name!r}: "
        "permission denied for schema public\n"
        "  help: grant it, or run the command as the role that owns the schema\n",
    )
