"""`vegafs settings`: what is in force, and where it came from."""

from __future__ import annotations

from tests.support.project import run


def test_targets_are_shown_without_their_passwords() -> None:
    """Name by name, as they are written."""
    targets = "eu=postgresql://me:S3cret@db.eu/files us=postgresql://me@db.us/files"
    shown = run("vegafs", "settings", VEGAFS_TARGETS=targets)
    assert shown.code == 0
    assert "S3cret" not in shown.out
    (line,) = (each for each in shown.out.splitlines() if each.startswith("VEGAFS_TARGETS"))
    assert line.split() == [
        "VEGAFS_TARGETS",
        "eu=postgresql://me:***@db.eu:5432/files",
        "us=postgresql://me@db.us:5432/files",
        "environment",
    ]
