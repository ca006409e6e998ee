"""Messages name the command and the settings of the project at hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from surefoot.errors import (
    BackupMissing,
    DatabaseUrlInvalid,
    DatabaseUrlMissing,
    LockFileStale,
    MutexHeld,
    PoolerRefused,
    RevisionUnsafe,
    SurefootError,
    names,
)

URL = "postgresql://user:password@host:5432/database"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = names.in_use()
    yield
    names.use(before)


def some() -> list[SurefootError]:
    return [
        LockFileStale("revisions.lock", ["0002 was edited"]),
        DatabaseUrlMissing("there is no server here"),
        DatabaseUrlInvalid(names.setting("database"), "it has no scheme"),
        PoolerRefused("db:6432", "…"),
        MutexHeld("backend 1", 2, 1),
        BackupMissing("0009"),
        RevisionUnsafe("0009", ["avoid-rewrite"]),
    ]


def test_without_names_messages_say_where_the_library_takes_a_setting_from() -> None:
    """The command is the library's own, and a bound is a field of Limits."""
    names.use(names.Names())
    assert [error.help for error in some()] == [
        "run `surefoot lock` and commit the file",
        f"set the database URL that env.py names to {URL}",
        f"write it as {URL}",
        "set the database URL that env.py names to the server itself; the service stays behind "
        "the pooler",
        "try again when that run is done, or wait longer: Limits(mutex_wait_s=…)",
        "set Limits(backup_command=…), or waive the backup by name: "
        'Limits(backup_waived="<who and why>")',
        "`surefoot lint 0009` shows where, with the safe form; to override, allow it in the "
        'file with a reason, then `surefoot lock`; Limits(lint="warn") only warns',
    ]


def test_with_names_messages_say_what_the_project_calls_them() -> None:
    """A setting that the project gave no name keeps the library's."""
    its = {"database": "SHOP_DB", "database_file": "SHOP_DB_FILE", "backup_waived": "SHOP_WAIVED"}
    names.use(names.Names("shop", its))
    lock, missing, invalid, *_, backup, _ = (error.help for error in some())
    assert lock == "run `shop lock` and commit the file"
    assert missing == f"set SHOP_DB={URL} (or SHOP_DB_FILE to a file that holds it)"
    assert invalid == f"write it as SHOP_DB={URL}"
    assert backup == (
        "set Limits(backup_command=…), or waive the backup by name: SHOP_WAIVED=<who and why>"
    )
