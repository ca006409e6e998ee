"""SurefootError: a message, the command that helps, an exit code, and how it is shown."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from surefoot.errors import names
from surefoot.errors.disclosure import disclosed, disclosed_in
from surefoot.wording import duration, in_order

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:  # typing has it from Python 3.11 on, and only a type checker uses it

    def dataclass_transform() -> Any:
        return lambda cls: cls


class _Wording(string.Formatter):
    """Fills a template with the attributes of an error, and with `names`.

    `{a_list:none}` is its items, of many the ends, or `none`; `{a_list!l:- }` a line for each,
    after a dash; `{a_list!w}` the items as arguments of a command; `{seconds!d}` a duration.
    """

    def __init__(self, error: SurefootError) -> None:
        self._error = error

    def get_value(self, key: Any, args: Any, kwargs: Any) -> Any:
        return names.in_use() if key == "names" else getattr(self._error, key)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion == "l":
            return list(getattr(value, "values", lambda: value)())
        if conversion == "w":
            return names.arguments(value)
        if conversion == "d":
            return duration(value)
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, list):
            return "".join(f"\n{format_spec}{line}" for line in value)
        if isinstance(value, (tuple, dict)):
            return in_order(tuple(value), format_spec)
        return str(format(value, format_spec))


@dataclass_transform()
class SurefootError(Exception):
    """An error with a message and the command that helps. `str(error)` is the message alone.

    A subclass may annotate fields, which are its arguments and attributes, and have the message and
    the help as templates; `names` in them is surefoot.errors.names. Its code is its name.

    Example:
        try:
            await upgrade(target, "nope")
        except SurefootError as error:
            print(error.code, error.exit_code, error.render())
    """

    code: ClassVar[str] = "error"
    exit_code: int = 1  # an attribute, as that of Interrupted depends on the signal
    word: ClassVar[str] = "ERROR"
    says: ClassVar[str]
    helps: ClassVar[str]
    _fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, message: str, *, help: str | None = None) -> None:  # noqa: A002 - the word users read
        self.message = disclosed(message)
        self.help = help and disclosed(help)
        super().__init__(self.message)

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls):
            cls.code = re.sub(r"\B(?=[A-Z])", "-", cls.__name__).lower()
        if "says" in vars(cls):
            cls._fields = tuple(cls.__annotations__)
            cls.__init__ = SurefootError._with_fields  # type: ignore[method-assign]

    def _with_fields(self, *values: object, **named: object) -> None:
        given: Mapping[str, Any] = dict(zip(self._fields, values, strict=False)) | named
        for name in self._fields:
            value = given[name] if name in given else getattr(type(self), name)
            setattr(self, name, tuple(value) if isinstance(value, list) else value)
        say = _Wording(self).format
        SurefootError.__init__(self, say(self.says), help=say(self.helps))

    def render(self) -> str:
        """The error as a person reads it: state word, code, message, help."""
        first, *rest = self.message.splitlines() or [""]
        lines = [f"{self.word} [{self.code}]  {first}", *(f"  {line.strip()}" for line in rest)]
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The error as one JSON object; its attributes are the fields."""
        fields = {k: disclosed_in(v) for k, v in vars(self).items() if k not in ("message", "help")}
        return {"code": self.code, "message": self.message, "help": self.help, **fields}


def every_error(of: type[SurefootError] = SurefootError) -> Iterator[type[SurefootError]]:
    """The classes below one, those of a project that has its own included."""
    for found in of.__subclasses__():
        yield found
        yield from every_error(found)


# The codes of warnings that are an error nowhere, with their meanings.
WARNINGS: Mapping[str, str] = {
    "ledger-lost": "The table of the ledger was dropped, or has no row of a revision; the record "
    "begins again with the applied revisions as adopted.",
    "lock-file-missing": "The project has no revisions.lock.",
    "squash-unused": "An empty database does not begin with squashed.sql, and the message says "
    "why.",
}
