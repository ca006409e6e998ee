"""docs/questions.md: twenty questions, and a command for each that runs."""

from __future__ import annotations

import re
import shlex

import pytest

from harness.databases import Database
from tests.support.project import ROOT, run

QUESTIONS = 20
ROW = re.compile(r"^\| (.+\?) \| (.+\.) \| `(.+)` \|$", re.MULTILINE)


@pytest.mark.slow
def test_every_question_has_a_command(database: Database) -> None:
    """None is misspelt, none fails: on a database at head it answers, or says that it is so."""
    rows = ROW.findall((ROOT / "docs" / "questions.md").read_text("utf-8"))
    assert len({question for question, _, _ in rows}) == QUESTIONS
    for _, _, command in rows:
        answered = run(*shlex.split(command), DATABASE_URL=database.url)
        assert answered.code == 0, (command, answered.err)
        assert answered.out or answered.err
