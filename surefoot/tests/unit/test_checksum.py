"""The checksum of a revision: what counts and what does not."""

import ast
import sys
import unicodedata

import pytest

from surefoot.chain.checksum import _quoted, checksum

ORIGINAL = '''"""Add priority to jobs."""
from alembic import op
revision = "0008"
TABLES = {"jobs": ["a", 'b']}
def upgrade():
    """Up."""
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ADD priority int DEFAULT {-1}")
def downgrade() -> None:
    op.drop_column("jobs", "priority")
'''


def of(source: str) -> str:
    return checksum(ast.parse(source))


@pytest.mark.parametrize(
    "edited",
    [
        ORIGINAL.replace("\n", "\r\n"),
        ORIGINAL.replace('"""Add priority to jobs."""', '"""Add a priority.\n\nLonger.\n"""'),
        ORIGINAL.replace('    """Up."""\n', "    # up\n"),
        ORIGINAL.replace("'b'", '"b"').replace("= {", "= (\n    {").replace("]}", "],\n})"),
        ORIGINAL.replace(
            'op.drop_column("jobs", "priority")', "op.drop_column('jobs',\n 'priority',)"
        ),
        "# a licence\n" + ORIGINAL,
    ],
    ids=["crlf", "docstring", "function docstring", "formatting", "quotes", "comment"],
)
def test_writing_it_differently_keeps_the_checksum(edited: str) -> None:
    """Line ends, comments, docstrings and formatting do not count."""
    assert edited != ORIGINAL
    assert of(edited) == of(ORIGINAL)


@pytest.mark.parametrize(
    "edited",
    [
        ORIGINAL.replace("priority int", "priority  int"),
        ORIGINAL.replace("-1", "1"),
        ORIGINAL.replace('"0008"', "'0009'"),
        ORIGINAL.replace("for table in TABLES", "for table in sorted(TABLES)"),
        ORIGINAL.replace('    op.drop_column("jobs", "priority")', "    pass"),
        ORIGINAL.replace('"""Up."""', "'not first' and 1"),
        ORIGINAL.replace('["a",', '[b"a",'),
        ORIGINAL.replace("def upgrade", "async def upgrade"),
        ORIGINAL + "X = 1\n",
    ],
    ids=["sql", "sign", "id", "code", "body", "expression", "type", "async", "added"],
)
def test_any_change_of_the_code_changes_the_checksum(edited: str) -> None:
    """Everything that runs counts, white space inside SQL included."""
    assert edited != ORIGINAL
    assert of(edited) != of(ORIGINAL)


def test_the_checksum_is_the_same_on_every_python() -> None:
    """The value is fixed: a new Python, or a change here, must not change it."""
    assert of(ORIGINAL) == "8ebcf30e160756c35b7c3e6a4da8222f58758fe533722f8abb99669368b1116a"


# Code in the grammar of Python 3.10, also such as versions of Python parse or print differently.
SPELLED = {
    "imports": "import a.b as c\nfrom . import d\nfrom __future__ import annotations\n",
    "format in a format": """\
x = f"{a:{b}}" f"{a!r:>{b}.{c}}" "" f"{a:}" f"{a=}" f"{a = !s:}" f"" "t"
""",
    "quotes": """x = ["é'", 'é"', "é'\\"\\\\\\n\\t\\x00\\x7f\\x85\\xad", b"\\xff'", "'"]\n""",
    "emoji": "x = '\U0001f600 \U0001fae8 \U0001fac6 \U0001face'  # of Unicode 6, 15, 16 and 17\n",
    "no characters": r"x = '\u0378 \u0560 \ud7ff \ud800 \ue000 \ufffe \U0001fffe \U0010ffff'",
    "empty values": """\
x = [0, 0.0, False, None, '', b'', 0j, -0.0, (), [], {}, ...]
y: int
(z): int = 0
""",
    "all else": """\
@a
async def f(a, /, b: int = 0, *c, d=None, **e) -> "x":
    global g
    async with a as b, c: await d
    async for a in b: yield [x async for x in y if (z := x)]
    else: del a[1:, ...]
    match a:
        case None | {"k": 0, **rest}: pass
        case A(b, c=-1) if d: raise E from None
        case [x, *_] as y: return lambda: ~x
class C(B, metaclass=D):
    a: "int"
    b = 10**20 + 1_000 - 1e400 * 2.50j
try: assert a, ""
except (E, F) as e: print(*a, **b)
finally: x = not a if b is not c else {**d} | {*e}
""",
}
PINNED = {
    "imports": "226d575857985e736ae4be2534fa0cfeb8b91a1282fce7fd6da02d716c520388",
    "format in a format": "40a69d57961b7117a3279afccdce6ec8e30ea4f8f03a1cf986d25e9e8e383787",
    "quotes": "071a389013b40300090ad0398ec87093d77bde70c65fd3ae369e062dd6404aeb",
    "emoji": "6f094facb9f2a9f56337dd831fc9e1047a414b03bc6d4537806e9fecc0a6a859",
    "no characters": "0be46124c23891f9ed7e003600346754649407fa200e04ea6d58190390b5a2fe",
    "empty values": "00f5e5e790f1d8c2c74ad30a2ffb00b6a8cb047e6f78139104001517548620ca",
    "all else": "70879c27ee08786c0821fcba3b9db37f00b3d6203851a621eafe4c97b1bd66b9",
}


@pytest.mark.parametrize("code", SPELLED)
def test_each_version_of_python_has_the_same_checksum(code: str) -> None:
    """A ledger outlives the Python that wrote it."""
    assert of(SPELLED[code]) == PINNED[code]


def test_a_field_that_a_newer_python_adds_does_not_count() -> None:
    """Python 3.15 has `is_lazy` in both nodes of imports, which is 0 in older code."""
    tree = ast.parse(SPELLED["imports"])
    for node in tree.body:
        fields = {"_fields": (*dict.fromkeys((*node._fields, "is_lazy", "more")),)}
        node.__class__ = type(type(node).__name__, (type(node),), fields)
        vars(node).update(is_lazy=0, more=[])
    assert checksum(tree) == PINNED["imports"]


def test_characters_are_spelled_as_before() -> None:
    """As by `repr`, for all that every version of Python knows: those of Unicode 3.2."""
    known = (chr(each) for each in range(sys.maxunicode + 1))
    for each in known:
        if unicodedata.ucd_3_2_0.category(each) != "Cn":
            assert _quoted(each) == repr(each)
    for text in ("é'", 'é"', "é'\"", "é\\\r\n\t\0\x1f\x7f"):
        assert _quoted(text) == repr(text)
