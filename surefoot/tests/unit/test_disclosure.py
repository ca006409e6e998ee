"""Messages show no secrets, and escape control and bidirectional characters."""

import json

import pytest

from surefoot.connect.limits import Limits
from surefoot.connect.url import DatabaseUrl
from surefoot.errors import ConfigurationInvalid, disclosure
from surefoot.errors.disclosure import disclosed, in_json, masked, printable


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclosure, "_secrets", set())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3cr3t@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:p@ss:w@host/db", "postgresql://me:***@host/db"),
        ("host=h password=s3cr3t user=me", "host=h password=*** user=me"),
        ("PGPASSWORD='a b' pg_dump", "PGPASSWORD=*** pg_dump"),
        ("ALTER ROLE me PASSWORD 'it''s' LOGIN", "ALTER ROLE me PASSWORD '***' LOGIN"),
        ("API_TOKEN: DB_SECRET = x1", "API_TOKEN: DB_SECRET = ***"),
        ("pa\u017f\u017fword=x1, to\u212aen=x2", "pa\u017f\u017fword=***, to\u212aen=***"),
        ("password authentication failed", "password authentication failed"),
        ("https://host/path is at http://other", "https://host/path is at http://other"),
    ],
)
def test_passwords_are_masked_by_their_form(text: str, shown: str) -> None:
    """Also those that nobody has named before."""
    assert masked(text) == shown


def test_passwords_that_a_url_has_named_are_masked_wherever_they_are() -> None:
    """As they are and percent-encoded; not those that are the user's or the database's name."""
    DatabaseUrl.parse("postgresql://shopper:corr%2Fect-horse@host/shop_db")
    DatabaseUrl.parse("postgresql://shopper:shop_db@host/shop_db")
    assert masked("a corr/ect-horse, corr%2Fect-horse of shop_db") == "a ***, *** of shop_db"


@pytest.mark.parametrize(
    "command",
    [
        "env PGPASSWORD=corr-horse pg_dump shop",
        "pg_dump postgresql://me:corr-horse@host/shop",
        "backup --token corr-horse shop",
        "backup --api-token=corr-horse shop",
        """sh -c 'PGPASSWORD="corr-horse" pg_dump shop'""",
    ],
)
def test_literals_of_the_backup_command_are_masked(command: str) -> None:
    """They are secrets of the limits as soon as those exist."""
    Limits(backup_command=command)
    assert masked("it said corr-horse about shop") == "it said *** about shop"
    assert "corr-horse" not in masked(command)


def test_characters_that_deceive_are_escapes() -> None:
    """Controls of a terminal and of the writing direction; lines and tabs stay."""
    text = "a\x1b[31mred\x07\x00 \u202eevil\u2066 \u2028x\r\nnext\tü…"
    assert printable(text) == ("a\\x1b[31mred\\x07\\x00 \\u202eevil\\u2066 \\u2028x\\x0d\nnext\tü…")
    assert printable("\udcff") == "\\udcff"


def test_json_keeps_the_value() -> None:
    """Only its spelling is another one."""
    document = json.dumps({"a": "\u202eevil"}, ensure_ascii=False)
    assert in_json(document) == '{"a": "\\u202eevil"}'
    assert json.loads(in_json(document)) == {"a": "\u202eevil"}


def test_an_error_shows_neither() -> None:
    """In its message, as JSON and as text: whoever prints it need not remember."""
    error = ConfigurationInvalid("x\u202e", "postgresql://me:s3cr3t@host")
    for shown in (str(error), error.render(), json.dumps(error.as_json())):
        assert "s3cr3t" not in shown
        assert "\u202e" not in shown
        assert "***" in shown
    assert disclosed("a\x00b") == "a\\x00b"
