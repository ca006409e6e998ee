"""README.md: the commands of its transcript print what it shows."""

from pathlib import Path

import pytest

from harness.databases import Database
from tests.support.transcripts import blocks, commands, printed, timeless

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_transcript_is_true(empty_database: Database) -> None:
    """Every command, in order, on an empty database."""
    transcript = commands(blocks(ROOT / "README.md", "console")[0])
    assert len(transcript) >= 5
    for command, expected in transcript:
        found = printed(command, ROOT, {"DATABASE_URL": empty_database.url})
        found = found.replace(empty_database.name, "vegafs_dev")
        assert timeless(found) == timeless(expected), command
