"""Revision files in the codings and with the line ends that Python reads."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from surefoot.adoption.past import lapses
from surefoot.chain.coding import encoded, text_of
from surefoot.chain.revisions import read_revisions
from surefoot.errors import CommitsByItself
from surefoot.run.guards.mixture import mixture

TEXT = '''\
"""Größe."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.execute("COMMIT")


def downgrade():
    pass
'''
CODINGS = {
    "a byte order mark": TEXT.encode("utf-8-sig"),
    "another coding": f"# -*- coding: latin-1 -*-\n{TEXT}".encode("latin-1"),
    "line ends of Windows": TEXT.replace("\n", "\r\n").encode(),
    "all of UTF-8": TEXT.encode(),
}


@pytest.mark.parametrize("code", CODINGS.values(), ids=CODINGS)
def test_a_file_is_read_and_written_as_its_author_wrote_it(code: bytes, tmp_path: Path) -> None:
    path = tmp_path / "0001_size.py"
    path.write_bytes(code)
    text = text_of(path)
    assert text.endswith(TEXT)
    assert encoded(text, code) == code


@pytest.mark.parametrize("code", CODINGS.values(), ids=CODINGS)
def test_the_past_of_a_project_is_read_in_any_coding(code: bytes, tmp_path: Path) -> None:
    (tmp_path / "0001_size.py").write_bytes(code)
    first, *_ = lapses(read_revisions(tmp_path))
    assert (first.rule, first.line) == (CommitsByItself.code, code.count(b"\n") - 4)


def test_a_string_of_which_python_warns_is_read_without_a_word(tmp_path: Path) -> None:
    """Each command would tell it again, and for each rule; an import of the file tells it once."""
    path = tmp_path / "0001_add_x.py"
    path.write_text(f"{TEXT}\nPATTERN = '\\d'\n", "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (revision,) = read_revisions(tmp_path)
        assert revision.id == "0001"
        assert mixture("0001", path.read_bytes() + b"\n# autocommit_block", "upgrade") is None
