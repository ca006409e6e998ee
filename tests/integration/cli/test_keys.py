"""`vegafs keys`."""

import asyncio
import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout

import pytest

from app.cli import main
from app.db.engine import PROJECT
from harness.databases import Database
from surefoot.chain.lockfile import read_lock

HEAD = read_lock(PROJECT.lock)[-1].id


async def keys(*arguments: str) -> tuple[int, str, str]:
    """The command's exit code and what it prints; in a thread, for it has a loop of its own."""
    out, err = io.StringIO(), io.StringIO()

    def call() -> int:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as caught:
            main(["keys", *arguments])
        return int(caught.value.code or 0)

    return await asyncio.to_thread(call), out.getvalue(), err.getvalue()


def timeless(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-11-22 09:04", text)


@pytest.fixture
def _on_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)


@pytest.mark.slow
@pytest.mark.usefixtures("_on_it")
async def test_a_key_is_printed_once_listed_and_revoked() -> None:
    """The key alone is on stdout, so that a script can keep it."""
    code, out, err = await keys("create", "laptop")
    assert code == 0
    assert re.fullmatch(r"vegafs_[\w-]{43}\n", out)
    assert err == (
        "OK  created the key 'laptop'; it is not shown again\n"
        "Next: send it as `Authorization: Bearer KEY`\n"
    )
    assert await keys("create", "laptop") == (
        3,
        "",
        "REFUSED [key-name-taken]  a key 'laptop' is in force and cannot be shown again\n"
        "  help: choose another name, or run `vegafs keys revoke laptop` first\n",
    )
    await keys("create", "a robot", "--scope", "ops")
    assert await keys("revoke", "laptop") == (0, "", "OK  revoked the key 'laptop'\n")
    assert await keys("revoke", "laptop") == (
        2,
        "",
        "ERROR [key-not-found]  no key 'laptop' is in force\n"
        "  help: `vegafs keys list` shows the keys\n",
    )
    code, out, err = await keys("list")
    assert (code, err) == (0, "2 keys, 1 in force\n")
    assert timeless(out) == (
        "NAME     STATE                     SCOPES  CREATED (UTC)     LAST USED\n"
        "laptop   revoked 2026-11-22 09:04  -       2026-11-22 09:04  never\n"
        "a robot  in force                  ops     2026-11-22 09:04  never\n"
    )
    code, out, _ = await keys("list", "--json")
    document = json.loads(out)
    assert document["schema_version"] == 1
    assert [(key["name"], key["in_force"], key["scopes"]) for key in document["keys"]] == [
        ("laptop", False, []),
        ("a robot", True, ["ops"]),
    ]
    assert set(document["keys"][0]) == {
        "name",
        "in_force",
        "scopes",
        "created_at",
        "last_used_at",
        "revoked_at",
    }


@pytest.mark.usefixtures("_on_it")
async def test_no_keys_are_a_list_too() -> None:
    """It says that there are none."""
    assert await keys("list") == (0, "", "0 keys, 0 in force\n")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00b"])
async def test_a_name_that_cannot_be_read_is_refused(name: str) -> None:
    """Before any database is asked."""
    assert await keys("create", name) == (
        2,
        "",
        "ERROR [usage]  Invalid value for 'NAME': a name needs printable characters\n"
        "  help: vegafs keys create --help\n",
    )


async def test_a_database_that_was_never_migrated_has_no_keys(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to do first."""
    monkeypatch.setenv("DATABASE_URL", empty_database.url)
    assert await keys("create", "laptop") == (
        1,
        "",
        f"ERROR [never-migrated]  database '{empty_database.name}' was never migrated; this "
        f"build needs {HEAD}\n  help: run `alembic upgrade head`\n",
    )
