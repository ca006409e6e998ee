"""The questions before a table is dropped."""

from pathlib import Path

from surefoot.autogenerate.questions import about_tables


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """An editor leaves links that lead nowhere; the file that declares the table is named."""
    (tmp_path / ".#models.py").symlink_to("somebody@host:1")
    (tmp_path / "old.py").write_text('Table("logs", metadata)\n', "utf-8")
    _, declared = about_tables({"logs"}, tmp_path)
    assert declared.startswith("logs is declared in ")
    assert declared.endswith("old.py, which is not imported")
