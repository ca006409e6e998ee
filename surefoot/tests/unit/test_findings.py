"""A finding as text and as JSON, whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from surefoot.rules.findings import LONGEST_SHOWN, Finding, TracedRevision, examine, measured
from surefoot.rules.registry import RULES
from surefoot.rules.repository import in_repository
from surefoot.trace.effects import Effect
from surefoot.trace.schema_objects import Activity
from surefoot.trace.statement import Statement

PATH = Path("alembic/versions/0009_find_jobs_by_rank.py")
CREATED = {
    "unique": False,
    "constraint": False,
    "valid": True,
    "columns": ("rank",),
    "inherited": False,
}


def statement(**what: Any) -> Statement:
    return Statement("0009", 21, 1, "CREATE INDEX …", True, **what)


def finding() -> Finding:
    made = statement(
        effects=(Effect("index_created", "jobs", "ix_jobs_rank", facts=CREATED),),
        locks={"jobs": "SHARE"},
        activity={"jobs": Activity(1, scans=1, scanned=200)},
        rows={"jobs": 200},
    )
    unit = TracedRevision("0009", PATH, "expand", (made,))
    (found,) = examine(unit, RULES.values(), 18)
    return found


def test_a_finding_says_place_rule_consequence_help_and_what_was_traced() -> None:
    """In this order."""
    assert finding().render() == (
        "alembic/versions/0009_find_jobs_by_rank.py:21\n"
        "  error [require-concurrent-index]  writes to jobs block until ix_jobs_rank is built\n"
        "    help: op.create_index_concurrently in a separate revision; of a partitioned table it "
        "builds one on each partition, and attaches all\n"
        "    statement: CREATE INDEX …\n"
        "    traced: SHARE on jobs (blocks INSERT, UPDATE, DELETE); scans jobs\n"
        "    safe form:\n"
        "      # with the options of the index\n"
        '      op.create_index_concurrently("ix_jobs_rank", "jobs", ["rank"])\n'
        "    or allow it: # allow require-concurrent-index: <the reason>"
    )


def test_a_finding_is_one_json_object() -> None:
    """The same words, by name."""
    assert finding().as_json() == {
        "rule": "require-concurrent-index",
        "level": "error",
        "revision": "0009",
        "path": in_repository(PATH),
        "line": 21,
        "consequence": "writes to jobs block until ix_jobs_rank is built",
        "help": "op.create_index_concurrently in a separate revision; of a partitioned table it "
        "builds one on each partition, and attaches all",
        "traced": "SHARE on jobs (blocks INSERT, UPDATE, DELETE); scans jobs",
        "end_line": 21,
        "statement": "CREATE INDEX …",
        "remedy": "# with the options of the index\n"
        'op.create_index_concurrently("ix_jobs_rank", "jobs", ["rank"])',
        "url": "https://www.postgresql.org/docs/current/sql-createindex.html",
        "tables": ("jobs",),
        "allow": "# allow require-concurrent-index: <the reason>",
    }


def test_what_was_read_in_the_file_was_not_traced() -> None:
    """Such a finding has no statement."""
    unit = TracedRevision("0009", PATH, "expand", source="import app\n")
    (found,) = examine(unit, RULES.values(), 18)
    assert found.render() == (
        "alembic/versions/0009_find_jobs_by_rank.py:1\n"
        "  error [avoid-importing-the-application]  app may have changed when this revision runs "
        "on a new database\n"
        "    help: define the parts that the revision needs in its file, as they are now\n"
        "    safe form:\n"
        '      table = sa.table("table", sa.column("id", sa.BigInteger()))\n'
        "    or allow it: # allow avoid-importing-the-application: <the reason>"
    )
    assert found.as_json()["traced"] is None


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({}, None),
        ({"locks": {"jobs": "ACCESS SHARE"}}, None),
        (
            {"locks": {"jobs": "ROW EXCLUSIVE"}, "activity": {"jobs": Activity(1, updated=3)}},
            "ROW EXCLUSIVE on jobs (blocks neither reads nor writes); changes 3 of 0 rows of jobs",
        ),
        (
            {
                "locks": {"jobs": "ACCESS EXCLUSIVE", "ix_jobs_rank": "ACCESS EXCLUSIVE"},
                "tables": {"ix_jobs_rank": "jobs"},
                "effects": (
                    Effect("rewritten", "jobs", facts={"kind": "r", "bytes": (8192, 8192)}),
                ),
            },
            "ACCESS EXCLUSIVE on jobs (blocks reads and writes); rewrites jobs",
        ),
        (
            {
                "locks": {"tags": "SHARE ROW EXCLUSIVE", "jobs": "SHARE ROW EXCLUSIVE"},
                "activity": {"tags": Activity(1, scans=1), "jobs": Activity(2, scans=2)},
            },
            "SHARE ROW EXCLUSIVE on tags, SHARE ROW EXCLUSIVE on jobs "
            "(blocks INSERT, UPDATE, DELETE); scans jobs, tags",
        ),
    ],
)
def test_what_was_measured_is_one_line(what: Mapping[str, Any], expected: str | None) -> None:
    """Locks, who waits, and the work."""
    assert measured(statement(**what)) == expected


def test_a_finding_names_the_lines_of_its_statement_and_hides_passwords() -> None:
    """The statement is shortened to one line."""
    source = "def upgrade():\n    op.execute(\n        'DROP …'\n    )\n"
    sql = "CREATE ROLE app\n    PASSWORD 'opensesame'" + ", x" * 60
    found = Statement("0009", 2, 1, sql, True, effects=(Effect("column_dropped", "jobs", "rank"),))
    unit = TracedRevision("0009", PATH, "expand", (found,), source=source)
    dropped = next(f for f in examine(unit, RULES.values(), 18) if f.statement)
    assert (dropped.line, dropped.end_line) == (2, 4)
    assert dropped.statement is not None
    assert dropped.statement.startswith("CREATE ROLE app PASSWORD '***', x, x")
    assert len(dropped.statement) <= LONGEST_SHOWN


def test_a_path_begins_at_the_root_of_the_repository(tmp_path: Path) -> None:
    """Where there is one: a pull request knows no other folder."""
    file = tmp_path / "service" / "versions" / "0001_a.py"
    file.parent.mkdir(parents=True)
    assert in_repository(file).endswith("service/versions/0001_a.py")
    (tmp_path / ".git").mkdir()
    assert in_repository(file) == "service/versions/0001_a.py"
    (tmp_path / "link").symlink_to(tmp_path / "service")
    assert in_repository(tmp_path / "link" / "versions" / "0001_a.py") == in_repository(file)


@pytest.mark.parametrize(
    ("sql", "rules"),
    [
        ("CREATE TABLE refs (…)", {"avoid-json-column", "avoid-small-integer-key"}),
        ("create extension postgis", set[str]()),
    ],
)
def test_the_tables_of_an_extension_are_nobody_s_design(sql: str, rules: set[str]) -> None:
    """Some extensions create tables, in the statement that creates the extension."""
    key = {"kind": "p", "columns": ("srid",)}
    made = (
        Effect("column_added", "refs", "srid", fresh=True, facts={"type": "integer"}),
        Effect("column_added", "refs", "more", fresh=True, facts={"type": "json"}),
        Effect("constraint_added", "refs", "refs_pkey", fresh=True, facts=key),
    )
    unit = TracedRevision(
        "0009", PATH, "expand", (Statement("0009", 2, 1, sql, True, effects=made),)
    )
    design = [RULES[each] for each in ("avoid-json-column", "avoid-small-integer-key")]
    assert {each.rule for each in examine(unit, design, 18)} == rules
