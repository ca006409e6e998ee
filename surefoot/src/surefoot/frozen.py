"""The `dataclass(frozen=True)` of the standard library, with methods that all classes share.

The standard library compiles six methods for each class, and an upgrade loads over a hundred. That
took a tenth of its CPU time with 100 revisions. Type checkers see the original. The classes that a
public package exports have it, too: a project may inspect them or derive from them.
"""

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass

    __all__ = ["dataclass"]
else:

    def dataclass(*, frozen, kw_only=False):
        """Decorate a class whose objects do not change."""
        if not frozen:
            raise TypeError("a class whose objects change has the original")

        def decorated(cls):
            # Without one, dataclasses writes the signature, which loads modules.
            cls.__doc__ = cls.__doc__ or cls.__name__
            made = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
            made._shape = _Shape(made)
            for name, method in _METHODS.items():
                # Python sets `__hash__` to None beside an `__eq__` of the class.
                if vars(made).get(name) is None:
                    setattr(made, name, method)
            return made

        return decorated


class _Shape:
    """The fields of a class, as its methods need them."""

    def __init__(self, cls: Any) -> None:
        fields = dataclasses.fields(cls)
        if not all(each.init and each.hash is None for each in fields):
            raise TypeError("a class with init=False or hash=… for a field has the original")
        # In the order of the fields, as `vars` gives them.
        self.defaults = {each.name: each.default for each in fields}
        self.factories = {
            each.name: each.default_factory
            for each in fields
            if each.default_factory is not dataclasses.MISSING
        }
        self.positions = [each.name for each in fields if not each.kw_only]
        absent = {each.name for each in fields if each.default is dataclasses.MISSING}
        # By the number of positional arguments, the names that have to be given.
        self.required = [
            frozenset(absent.difference(self.factories, self.positions[:count]))
            for count in range(len(self.positions) + 1)
        ]
        self.has_post_init = hasattr(cls, "__post_init__")
        compared = [each.name for each in fields if each.compare]
        # attrgetter needs a name.
        self.compared: Callable[[object], Any] = attrgetter(*compared or ["__class__"])


def _init(self: Any, *args: Any, **given: Any) -> None:
    shape: _Shape = self._shape
    values = vars(self)
    values.update(shape.defaults)
    if args:
        values.update(zip(shape.positions, args, strict=False))
    values.update(given)
    for name, factory in shape.factories.items():
        if values[name] is dataclasses.MISSING:
            values[name] = factory()
    if (
        len(args) > len(shape.positions)
        or len(values) > len(shape.defaults)
        or not shape.required[len(args)] <= given.keys()
        or (args and given and not given.keys().isdisjoint(shape.positions[: len(args)]))
    ):
        named = f"{type(self).__name__} misses a field, or got one twice or more than its fields"
        raise TypeError(f"{named}: {', '.join(shape.defaults) or 'none'}")
    if shape.has_post_init:
        self.__post_init__()


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return self._shape.compared(self) == self._shape.compared(other)


def _hash(self: Any) -> int:
    return hash(self._shape.compared(self))


def _repr(self: Any) -> str:
    shown = [each.name for each in dataclasses.fields(self) if each.repr]
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({values})"


def _setattr(_: object, name: str, __: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


_METHODS = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
}
