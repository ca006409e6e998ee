"""Documents: relative links resolve, each folder's index lists every page, and none is long."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / "docs", ROOT / "surefoot" / "docs", ROOT / "surefoot" / "docs" / "rules"]
DOCUMENTS = sorted(
    path for folder in (ROOT, ROOT / "surefoot", *FOLDERS) for path in folder.glob("*.md")
)
README_LINES = 120
PAGE_LINES = 200
# A list that only grows.
LONG = {"CHANGELOG.md"}
GLOSSARY_TERMS = 20


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(document: Path) -> str:
    """The text without its code, fenced, indented or in line."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^ {4}.*$|`[^`\n]*`", "", text, flags=re.MULTILINE)


def links(document: Path) -> list[str]:
    """The targets of its links that are relative."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(document))
    return [link for link in found if "://" not in link]


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_relative_links_resolve(document: Path) -> None:
    """Each names a file that is there, and a heading of it where it names one."""
    broken = []
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_the_index_lists_every_page(folder: Path) -> None:
    """Once each, with a sentence."""
    pages = {path.name for path in folder.glob("*.md")} - {"index.md"}
    listed = re.findall(
        r"^\| \[([\w-]+\.md)\]\(\1\) \| .+\. \|$",
        (folder / "index.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert sorted(listed) == sorted(pages)


def test_the_readme_is_short() -> None:
    """A reader sees the whole of it."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize(
    "document", [each for each in DOCUMENTS if each.name not in LONG], ids=name
)
def test_a_page_is_of_one_subject(document: Path) -> None:
    """One that is longer has several, and a reader looks for each by its name."""
    assert len(document.read_text("utf-8").splitlines()) <= PAGE_LINES


def test_the_glossary_is_short() -> None:
    """Twenty terms, one a line."""
    glossary = (ROOT / "surefoot" / "docs" / "glossary.md").read_text("utf-8")
    terms = re.findall(r"^\| ([\w -]+) \|", glossary, re.MULTILINE)[1:]
    assert 0 < len(terms) <= GLOSSARY_TERMS
