"""Identifiers are quoted where PostgreSQL requires it, and keep every character."""

from __future__ import annotations

import pytest

from surefoot.quoting import in_schema, quoted, statements


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jobs", "jobs"),
        ("user", '"user"'),
        ("Jobs", '"Jobs"'),
        ('a"b', '"a""b"'),
        ("50%", '"50%"'),
        ("50%%", '"50%%"'),
        ("a:b", '"a:b"'),
    ],
)
def test_a_name_is_quoted_only_where_it_must_be(name: str, expected: str) -> None:
    """A percent sign stays single: the statements are not formatted with parameters."""
    assert quoted(name) == expected


@pytest.mark.parametrize("name", ["", in_schema("far", ""), in_schema("", "jobs")])
def test_no_name_is_empty(name: str) -> None:
    """SQLAlchemy 2.1 would quote it."""
    with pytest.raises(ValueError, match="not empty"):
        quoted(name)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (
            "BEGIN;\n\n-- Running upgrade; now\n\nSELECT 1;\nCOMMIT;\n",
            ["BEGIN", "SELECT 1", "COMMIT"],
        ),
        (
            "SELECT ';' , \"a;\"\"b\", 'it''s;'; SELECT 2",
            ["SELECT ';' , \"a;\"\"b\", 'it''s;'", "SELECT 2"],
        ),
        ("SELECT E'it\\'s;', 1; SELECT 2", ["SELECT E'it\\'s;', 1", "SELECT 2"]),
        ("DO $$ BEGIN; END $$; DO $a$ $$;$$ $a$;", ["DO $$ BEGIN; END $$", "DO $a$ $$;$$ $a$"]),
        ("SELECT 1 /* ; */ + 1; SELECT 4 - 2 / 1;", ["SELECT 1   + 1", "SELECT 4 - 2 / 1"]),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3;",
            ["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END", "SELECT 3"],
        ),
        (
            "CREATE FUNCTION f(int) RETURNS text BEGIN ATOMIC SELECT CASE 1 WHEN $1 THEN 'a;' END;"
            " SELECT 2; END; SELECT begin, 'x' FROM beginning; COMMIT",
            [
                "CREATE FUNCTION f(int) RETURNS text BEGIN ATOMIC SELECT CASE 1 WHEN $1 THEN 'a;' "
                "END; SELECT 2; END",
                "SELECT begin, 'x' FROM beginning",
                "COMMIT",
            ],
        ),
        (
            "CREATE RULE r AS ON DELETE TO t DO INSTEAD (SELECT 1; SELECT ')'); SELECT (1);",
            ["CREATE RULE r AS ON DELETE TO t DO INSTEAD (SELECT 1; SELECT ')')", "SELECT (1)"],
        ),
        ("/* a; /* it's; */ b; */ SELECT 1; -- it's; end\n;", ["SELECT 1"]),
        ("SELECT a$b$c; SELECT $1; SELECT $b$", ["SELECT a$b$c", "SELECT $1", "SELECT $b$"]),
    ],
)
def test_a_script_falls_into_its_statements(script: str, expected: list[str]) -> None:
    """At the semicolons that end one."""
    assert list(statements(script)) == expected
