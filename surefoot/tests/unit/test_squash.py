"""The text of a squash, and what is changed in a dump."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from surefoot.chain.revisions import Revision
from surefoot.chain.squashed import Squash, reached
from surefoot.errors import SquashEdited, SquashStale
from surefoot.squashing.dump import depends_on_zone, first_difference, plain_sql

CHAIN = (
    Revision("1", (), "expand", "one", "a"),
    Revision("2", ("1",), "contract", "two", "b", requires_code="1"),
    Revision("3", ("2",), "expand", "three", "c"),
)
HEAD = """\
--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

"""


def made(sql: str = "SELECT 1;\n") -> Squash:
    return Squash.of(CHAIN, "2", sql, majors=[18, 17], schema="public", needs_utc=False)


def entry(name: str, kind: str, sql: str) -> str:
    """An entry as pg_dump writes it."""
    return f"--\n-- Name: {name}; Type: {kind}; Schema: public; Owner: -\n--\n\n{sql}\n\n\n"


@pytest.mark.parametrize("sql", ["SELECT 1;\n", "SELECT '\r\n-- seal: x\n';\n", ""])
def test_a_file_is_read_as_it_was_written(tmp_path: Path, sql: str) -> None:
    """Line ends in a value stay as they are."""
    path = tmp_path / "squashed.sql"
    path.write_bytes(made(sql).text().encode())
    assert Squash.read(path) == made(sql)
    assert Squash.read(tmp_path / "none.sql") is None


def test_a_file_that_was_taken_from_a_database(tmp_path: Path) -> None:
    """It says so; one that was written before there were such files is as any other."""
    path, taken = tmp_path / "squashed.sql", replace(made(), from_database=True)
    path.write_text(taken.text(), "utf-8")
    assert Squash.read(path) == taken
    assert "squash 2 --from-database`" in taken.text()
    with pytest.raises(SquashStale) as refused:
        taken.check((CHAIN[0], replace(CHAIN[1], sha256="other")))
    assert "squash 2 --from-database`" in (refused.value.help or "")

    told, sql = made().text().partition("-- seal: ")[0], made().sql
    older = told.replace(', "from_database": false', "")
    seal = hashlib.sha256(f"{older.splitlines()[-1][len('-- squash: ') :]}\n{sql}".encode())
    path.write_text(f"{older}-- seal: {seal.hexdigest()}\n{sql}", "utf-8")
    assert Squash.read(path) == made()


def test_a_file_with_the_line_ends_of_windows_is_the_same(tmp_path: Path) -> None:
    """As git checks it out there; a value that had such ends of its own is another one then."""
    path = tmp_path / "squashed.sql"
    path.write_bytes(made().text().encode().replace(b"\n", b"\r\n"))
    assert Squash.read(path) == made()
    path.write_bytes(made("SELECT '\r\n';\n").text().encode().replace(b"\r\n", b"\n"))
    with pytest.raises(SquashEdited):
        Squash.read(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SELECT 1", "SELECT 2"),
        ("[18, 17]", "[18, 17, 16]"),
        ("-- seal: ", "-- seal: 0"),
        ("-- squ", ""),
    ],
)
def test_an_edited_file_is_refused(tmp_path: Path, old: str, new: str) -> None:
    """Of the SQL, of what is told of it, of the seal."""
    path = tmp_path / "squashed.sql"
    path.write_text(made().text().replace(old, new), "utf-8")
    with pytest.raises(SquashEdited):
        Squash.read(path)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """It says more, or less, under a seal that is right."""
    path = tmp_path / "squashed.sql"
    path.write_text(made().text(), "utf-8")
    for old, new in (('"schema": "public", ', ""), ('{"revision"', '{"more": 1, "revision"')):
        told = made().text().splitlines()[3].removeprefix("-- squash: ").replace(old, new)
        seal = hashlib.sha256(f"{told}\nSELECT 1;\n".encode()).hexdigest()
        path.write_text(f"-- squash: {told}\n-- seal: {seal}\nSELECT 1;\n", "utf-8")
        with pytest.raises(SquashEdited, match="another version"):
            Squash.read(path)


def test_it_knows_its_revisions() -> None:
    """Also what revisions.lock does not have; a later revision does not matter."""
    locked = [Revision(r.id, r.down, r.phase, r.slug, r.sha256) for r in CHAIN]
    assert made().check(locked[:2]) == made().check(locked) == CHAIN[:2]
    edited = (CHAIN[0], Revision("2", ("1",), "contract", "two", "other"))
    for chain, again in ((edited, "2"), (CHAIN[:1], "head")):
        with pytest.raises(SquashStale) as raised:
            made().check(chain)
        assert f"surefoot squash {again}`" in str(raised.value.help)


def test_the_revisions_that_an_upgrade_passes() -> None:
    """Empty where only Alembic knows."""
    assert set(reached(CHAIN, "head")) == set(reached(CHAIN, "heads")) == {"1", "2", "3"}
    assert set(reached(CHAIN, "2")) == {"1", "2"}
    assert not any(reached(CHAIN, each) for each in (None, "", "+1", "shop@head", "base"))
    two = (*CHAIN, Revision("4", ("1",), "expand", "four", "d"))
    assert (set(reached(two, "head")), len(reached(two, "heads"))) == (set(), 4)


def test_a_dump_as_one_message() -> None:
    """Its settings are local, schemas may be there, and its own role is whoever migrates."""
    grant = "GRANT SELECT ON TABLE public.t TO me;\nGRANT SELECT ON TABLE public.me TO meow;"
    policy = (
        'CREATE POLICY "TO me" ON public.me FOR SELECT TO a, {} USING ((EXTRACT(day FROM me) > 1));'
    )
    mapping = "CREATE USER MAPPING FOR {} SERVER me OPTIONS (\n    name 'FOR me SERVER'\n);"
    large = "SELECT lo_open('1', 131072);\nSELECT lowrite(0, '\\x00');\nSELECT lo_close(0);"
    sql = plain_sql(
        HEAD
        + entry("s", "SCHEMA", "CREATE SCHEMA s;")
        + entry("EXTENSION citext", "COMMENT", "COMMENT ON EXTENSION citext IS 'x';")
        + entry("TABLE t", "COMMENT", "COMMENT ON TABLE public.t IS 'to me;';")
        + entry("f()", "FUNCTION", "CREATE FUNCTION public.f() AS 'CREATE SCHEMA s; TO me';")
        + entry("TABLE t", "ACL", grant)
        + entry("T", "DEFAULT ACL", "ALTER DEFAULT PRIVILEGES FOR ROLE me GRANT SELECT TO you;")
        + entry("t p", "POLICY", policy.format("me"))
        + entry("USER MAPPING me SERVER me", "USER MAPPING", mapping.format("me"))
        + entry("1..1", "BLOBS", f"BEGIN;\n{large}\nCOMMIT;")
        + "--\n-- PostgreSQL database dump complete\n--\n\n",
        "me",
    )
    settings, *kept = sql.split("\n\n")
    assert "SET statement_timeout" not in sql
    assert all(each.startswith(("SET LOCAL", "SELECT")) for each in settings.splitlines())
    assert [each.strip() for each in kept] == [
        "CREATE SCHEMA IF NOT EXISTS s;",
        "COMMENT ON TABLE public.t IS 'to me;';",
        "CREATE FUNCTION public.f() AS 'CREATE SCHEMA s; TO me';",
        "GRANT SELECT ON TABLE public.t TO CURRENT_USER;\nGRANT SELECT ON TABLE public.me TO meow;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE CURRENT_USER GRANT SELECT TO you;",
        policy.format("CURRENT_USER"),
        mapping.format("CURRENT_USER"),
        large,
    ]


def test_constants_with_a_time_zone() -> None:
    """A default that is computed depends on none."""
    bound = "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO (MAXVALUE)"
    assert [depends_on_zone(each) for each in (bound, "DEFAULT now()", "10:00:00")] == [
        True,
        False,
        False,
    ]


def test_an_expression_that_postgresql_writes_in_two_forms() -> None:
    """The forms are equal in the schema, and no two rows are."""
    one, other = "(ARRAY['a'::character varying])::text[]", "ARRAY[('a'::character varying)::text]"
    for kind, is_same in (("TABLE", True), ("VIEW", True), ("TABLE DATA", False)):
        dumps = [entry("it's", kind, f"CHECK (x = ANY ({each}));\n") for each in (one, other)]
        assert (first_difference(*dumps) == "") == is_same


def test_the_first_difference() -> None:
    """The two lines, or that one has more; else the line ends."""
    assert first_difference("a\nb\n", "a\nb\n") == ""
    assert "'b'" in first_difference("a\nb\n", "a\nc\n")
    assert "'(end)'" in first_difference("a\nb\n", "a\n")
    rows = [f"{entry('s', 'SCHEMA', 'a;')}{entry('t', 'TABLE DATA', each)}" for each in "bc"]
    assert "'b' in the entry TABLE DATA of t, and their dump 'c'" in first_difference(*rows)
    assert first_difference("a\nb\n", "a\r\nb\n") == "they differ in their line ends"
