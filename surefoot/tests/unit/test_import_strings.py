"""An import string, and the error where it does not lead to models."""

import sys
from pathlib import Path

import pytest
from sqlalchemy import MetaData

from surefoot.errors import ModelsNotImportable
from surefoot.import_strings import metadata_of

MODELS = """
from sqlalchemy import MetaData
class Base:
    metadata = MetaData()
metadata = Base.metadata
"""


@pytest.mark.parametrize(
    ("source", "message", "cure"),
    [
        (
            "a_shop:Base",
            "a_shop:Base is no MetaData",
            "name a_shop:Base.metadata in env.py",
        ),
        ("a_shop:MODELS", "'a_shop' has no attribute 'MODELS'", "correct it in env.py"),
        (
            "a_shop:metdata",
            "'a_shop' has no attribute 'metdata'",
            "did you mean a_shop:metadata? correct it in env.py",
        ),
        (
            "a_shop:__name__",
            "a_shop:__name__ is no MetaData",
            "name the MetaData of the models in env.py",
        ),
        (
            "json.nowhere:metadata",
            f"No module named 'json.nowhere' (this is {sys.executable})",
            "correct the name, or install the project: pip install -e .",
        ),
        (
            "no_shop:metadata",
            f"No module named 'no_shop' (this is {sys.executable})",
            "activate the virtual environment and install the project: pip install -e .",
        ),
        (
            "a_broken_shop:metadata",
            "a_broken_shop.py:2: NameError: name 'y' is not defined",
            "correct it there",
        ),
        ("a_shop_of_text:metadata", "a_shop_of_text.py:1: SyntaxError: ", "correct it there"),
    ],
)
def test_what_is_no_metadata_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str, cure: str
) -> None:
    (tmp_path / "a_shop.py").write_text(MODELS)
    (tmp_path / "a_broken_shop.py").write_text("import os\nx = y\n")
    (tmp_path / "a_shop_of_text.py").write_text("x = = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelsNotImportable) as found:
        metadata_of(source)
    assert found.value.message.startswith(message)
    assert found.value.help == cure
    assert isinstance(metadata_of("a_shop:Base.metadata"), MetaData)
