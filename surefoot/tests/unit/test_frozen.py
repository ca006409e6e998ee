"""Tests that surefoot.frozen makes the classes that dataclasses makes."""

import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import surefoot
import surefoot.connect
import surefoot.testing
import surefoot.web
from surefoot import frozen


def classes(dataclass: Callable[..., Any]) -> dict[str, Any]:
    """The same classes, decorated by one of both."""

    @dataclass(frozen=True)
    class Nothing:
        """Has no field."""

    @dataclass(frozen=True)
    class Point:
        """Has fields of each kind, and a method."""

        x: int
        y: int = 2
        names: list[str] = dataclasses.field(default_factory=list)
        note: str = dataclasses.field(default="", compare=False, repr=False)
        last: int = dataclasses.field(default=0, kw_only=True)

        @property
        def total(self) -> int:
            return self.x + self.y

    @dataclass(frozen=True)
    class Deep(Point):
        """Has a field more than its parent, and another default."""

        y: int = 3
        z: int = 4

    @dataclass(frozen=True, kw_only=True)
    class Named:
        """Is made by names, and looks at them."""

        name: str
        length: int | None = None

        def __post_init__(self) -> None:
            if not self.name:
                raise ValueError("no name")

        def __repr__(self) -> str:
            return f"<{self.name}>"

    @dataclass(frozen=True)
    class Alike:  # noqa: PLW1641 - the decorator adds one
        """Is equal to all of its kind."""

        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Alike)

    class Plain(Point):
        """Is derived, and not decorated."""

    return {each.__name__: each for each in (Nothing, Point, Deep, Named, Alike, Plain)}


ORIGINAL, SHARED = classes(dataclasses.dataclass), classes(frozen.dataclass)
USES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "without fields": lambda of: (repr(of["Nothing"]()), of["Nothing"]() == of["Nothing"]()),
    "one hash": lambda of: len({of["Nothing"](), of["Nothing"]()}),
    "positions": lambda of: repr(of["Point"](1, 5, ["a"])),
    "names": lambda of: repr(of["Point"](x=1, last=9)),
    "derived": lambda of: repr(of["Deep"](1, z=6)),
    "derived plainly": lambda of: repr(of["Plain"](1)),
    "own methods": lambda of: (repr(of["Named"](name="a")), of["Point"](1).total),
    "equal": lambda of: of["Point"](1, note="a") == of["Point"](1, note="b"),
    "other value": lambda of: of["Point"](1) == of["Point"](2),
    "other class": lambda of: of["Point"](1, 3) == of["Plain"](1, 3),
    "other object": lambda of: of["Point"](1) == 1,
    "hash": lambda of: hash(of["Named"](name="a")) == hash(of["Named"](name="a")),
    "hash of a list": lambda of: hash(of["Point"](1)),
    "own list": lambda of: of["Point"](1).names is of["Point"](1).names,
    "replace": lambda of: repr(dataclasses.replace(of["Point"](1, note="a"), y=7)),
    "replace by what is no field": lambda of: dataclasses.replace(of["Point"](1), q=7),
    "as a dict": lambda of: dataclasses.asdict(of["Deep"](1)),
    "order": lambda of: [*vars(of["Deep"](last=9, z=3, x=1))],
    "fields": lambda of: [each.name for each in dataclasses.fields(of["Deep"])],
    "match": lambda of: of["Deep"].__match_args__,
    "copy": lambda of: copy.copy(of["Point"](1, note="a")) == of["Point"](1),
    "deep copy": lambda of: copy.deepcopy(of["Point"](1)).names,
    "missing": lambda of: of["Point"](),
    "missing with a name": lambda of: of["Named"](),
    "unknown": lambda of: of["Point"](1, q=2),
    "missing and unknown": lambda of: of["Named"](q=2),
    "too many": lambda of: of["Named"]("a"),
    "twice": lambda of: of["Point"](1, x=2),
    "twice beside others": lambda of: of["Point"](1, 2, last=3, y=2),
    "positions and names": lambda of: repr(of["Point"](1, 2, names=["a"], last=3)),
    "own equality": lambda of: of["Alike"]("a") == of["Alike"]("b"),
    "hash beside it": lambda of: hash(of["Alike"]("a")) == hash(of["Alike"]("a")),
    "by position what has a name": lambda of: of["Point"](1, 2, [], "", 5),
    "looks": lambda of: of["Named"](name=""),
    "assigned": lambda of: setattr(of["Point"](1), "x", 2),
    "a new attribute is assigned": lambda of: setattr(of["Point"](1), "q", 2),
    "deleted": lambda of: delattr(of["Point"](1), "x"),
}


def outcome(use: Callable[[dict[str, Any]], Any], of: dict[str, Any]) -> Any:
    """The result, or the kind of the error."""
    try:
        return use(of)
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("use", USES)
def test_it_does_what_dataclasses_does(use: str) -> None:
    assert outcome(USES[use], SHARED) == outcome(USES[use], ORIGINAL)


@frozen.dataclass(frozen=True)
class Kept:
    """Can be found by pickle."""

    name: str


def test_an_object_is_pickled() -> None:
    assert pickle.loads(pickle.dumps(Kept("a"))) == Kept("a")


def test_an_object_that_changes_has_the_original() -> None:
    with pytest.raises(TypeError, match="the original"):
        frozen.dataclass(frozen=False)


@pytest.mark.parametrize("option", ["init", "hash"])
def test_a_field_that_is_not_given_or_not_compared_has_the_original(option: str) -> None:
    """The shared methods would take it for one as others."""
    namespace = {"__annotations__": {"n": int}, "n": dataclasses.field(**{option: False})}  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="the original"):
        frozen.dataclass(frozen=True)(type("Other", (), namespace))


SOURCE = Path(surefoot.__file__).parent
DECORATORS = re.compile(r"^@dataclass\b(.*)$", re.MULTILINE)


PUBLIC = (surefoot, surefoot.connect, surefoot.testing, surefoot.web)
EXPORTED = [
    found
    for package in PUBLIC
    for name in package.__all__
    if isinstance(found := getattr(package, name), type)
]


def test_modules_whose_classes_are_all_frozen_share_the_methods() -> None:
    """But for those of which a public package exports something."""
    modules = {*surefoot._MODULES.values()}
    modules |= {each.__module__.partition(".")[2] for each in EXPORTED}
    exported = {each.replace(".", "/") for each in modules}
    compiled = []
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).with_suffix("").as_posix()
        text = path.read_text("utf-8")
        decorators = DECORATORS.findall(text)
        is_original = re.search(r"^from dataclasses import .*\bdataclass\b", text, re.MULTILINE)
        if is_original and decorators and all("frozen=True" in each for each in decorators):
            compiled.append(name)
    assert {each for each in compiled if each not in exported and "errors/" not in each} == set()


def test_a_class_that_a_public_package_exports_has_the_original() -> None:
    """A project may inspect it, or derive from it."""
    assert len(EXPORTED) > 10
    assert [each for each in EXPORTED if hasattr(each, "_shape")] == []
