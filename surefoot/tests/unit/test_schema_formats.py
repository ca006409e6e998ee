"""The formats of a picture: what a name or a comment says stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import Column, Constraint, SchemaObject, Table
from surefoot.schema.markdown import markdown
from surefoot.schema.mermaid import mermaid
from surefoot.schema.picture import picture
from surefoot.schema.svg import svg
from unit.test_markup import HOSTILE, Seen

SVG = "{http://www.w3.org/2000/svg}"


def column(table: str, name: str, type_: str = "bigint", **given: object) -> Column:
    usual = {"comment": None, "collation": None, "not_null": True, "default": None}
    values = {**usual, "generated": None, "identity": None, **given}
    return Column(name=name, table=table, type=type_, **values)  # type: ignore[arg-type]


def constraint(table: str, name: str, type_: str, definition: str) -> Constraint:
    return Constraint(
        name=name, table=table, type=type_, definition=definition, validated=True, comment=None
    )


def table(name: str, comment: str | None = None) -> Table:
    return Table(
        name=name, comment=comment, kind="table", persistence="permanent", partition_key=None,
        inherits=None, options=None, row_security=None,
    )  # fmt: skip


def catalog(*items: SchemaObject) -> Catalog:
    objects: dict[Key, SchemaObject] = {}
    order: dict[str, tuple[str, ...]] = {}
    for item in items:
        of = getattr(item, "table", None)
        name = item.name if of is None else f"{of}.{item.name}"
        objects[Key(type(item).__name__.lower(), name)] = item
        if isinstance(item, Column):
            order[item.table] = (*order.get(item.table, ()), item.name)
    return Catalog(objects, order)


def shop(name: str = "orders", said: str | None = None) -> Catalog:
    return catalog(
        table("customers"),
        column("customers", "id"),
        constraint("customers", "pk", "primary key", "PRIMARY KEY (id)"),
        table(name, said),
        column(name, "id"),
        column(name, "customer", not_null=False, comment=said),
        constraint(name, "fk", "foreign key", "FOREIGN KEY (customer) REFERENCES customers(id)"),
    )


def texts(document: str) -> list[str]:
    root = ElementTree.fromstring(document)
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("said", HOSTILE)
def test_svg_has_no_other_tags_than_its_own(said: str) -> None:
    """And its description says the same as the boxes."""
    document = svg(picture(said, shop(said, said)))
    root = ElementTree.fromstring(document)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} == {
        *("svg", "title", "desc", "style", "rect", "text", "tspan", "path", "circle")
    }
    assert not [name for each in root.iter() for name in each.attrib if name.startswith("on")]
    labelled = root.attrib["aria-labelledby"].split()
    assert [each.attrib["id"] for each in root if "id" in each.attrib] == labelled
    described = root.findtext(f"{SVG}desc") or ""
    assert "customers: id, pk." in described
    shown = " ".join(said.replace("\r", "\\x0d").split())
    assert any(shown in each for each in texts(document))


def test_svg_says_by_signs_and_lines_what_its_colours_say() -> None:
    """Added, gone and changed; a table that is the same is counted."""
    before = catalog(
        table("kept"), column("kept", "id"), table("t"), column("t", "a"), column("t", "b", "text"),
        table("old"), column("old", "id"),
    )  # fmt: skip
    after = catalog(
        table("kept"), column("kept", "id"), table("t"), column("t", "b", "text", default="'x'"),
        column("t", "c"), table("new"), column("new", "id"),
    )  # fmt: skip
    drawn = texts(svg(picture("From 1 to 2", after, before)))
    assert drawn[0] == "From 1 to 2"
    assert drawn[1].startswith("Tables: 1 added, 1 gone, 1 changed, 1 as before.")
    assert drawn[2:] == [
        "+ new", "+ id  bigint", "− old", "− id  bigint",
        "~ t", "− a  bigint", "~ b  text  default was none", "+ c  bigint",
    ]  # fmt: skip


def test_tables_stand_beside_those_that_they_refer_to() -> None:
    """Also where they refer to each other, or to themselves."""
    refers = "FOREIGN KEY (id) REFERENCES {}(id)"
    ring = catalog(
        *(table(each) for each in "abc"),
        *(column(each, "id") for each in "abc"),
        *(
            constraint(one, f"fk_{other}", "foreign key", refers.format(other))
            for one, other in ("ab", "bc", "ca", "aa")
        ),
    )
    root = ElementTree.fromstring(svg(picture("ring", ring)))
    places = [each.attrib["x"] for each in root.iter(f"{SVG}rect") if each.get("class") == "box"]
    assert len(places) == 3
    assert len(set(places)) == 3
    assert len([*root.iter(f"{SVG}path")]) == 4
    assert ElementTree.fromstring(svg(picture("nothing", catalog()))) is not None


@pytest.mark.parametrize("said", HOSTILE)
def test_markdown_is_a_table_whatever_a_name_says(said: str) -> None:
    """Nothing but its own headings, tables and lists."""
    seen = Seen(markdown(picture("Schema", shop(said, said))))
    own = {"h3", "h4", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li"}
    assert set(seen.tags) <= own
    assert seen.tags.count("h4") == 2
    assert seen.tags.count("td") == 3 * 6
    assert " ".join(said.replace("\r", "\\x0d").split()) in " ".join(seen.text.split())


@pytest.mark.parametrize("said", HOSTILE)
def test_mermaid_has_a_line_for_each_thing(said: str) -> None:
    """With names in quotes, in which no sign ends anything; Mermaid 11 reads all of these."""
    lines = mermaid(picture("Schema", shop(said, said))).splitlines()
    assert lines[0] == "erDiagram"
    word, text = r"[^\W\d][\w()\[\]-]*", r'"[\w ,.:()/+*=\'?!#;-]*"'
    form = re.compile(
        rf"    (?:accTitle: .*|accDescr: .*|t\d+\[{text}\](?: \{{)?|\}}|"
        rf"    {word} {word}(?: (?:PK|FK|UK)(?:, (?:PK|FK|UK))*)?(?: {text})?|"
        rf"t\d+ (?:\|\||\|o)--o\{{ t\d+ : {text})"
    )
    assert [line for line in lines[1:] if not form.fullmatch(line)] == []
    assert '    t1 |o--o{ t2 : "customer"' in lines or '    t2 |o--o{ t1 : "customer"' in lines


def test_a_column_that_goes_stays_where_it_was() -> None:
    """After the one that it followed; a key is said with the table that it refers to."""
    before, after = shop(), shop()
    gone = Key("column", "orders.customer")
    after = replace(
        after,
        objects={key: item for key, item in after.objects.items() if key != gone},
        column_order={**after.column_order, "orders": ("id", "more")},
    )
    (box,) = picture("", after, before).boxes
    assert [(row.name, row.mark) for row in box.columns] == [("id", ""), ("customer", "gone")]
    assert (box.columns[1].keys, box.columns[1].refers) == (("foreign key",), ("customers",))
