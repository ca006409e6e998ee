"""KeptRow keeps the statement that writes a row prepared, in the session of a run.

PostgreSQL takes longer to parse and plan it than to run it. A session that has run something else
than plain changes may have lost it: DISCARD ALL and DEALLOCATE ALL drop it.
"""

import secrets
from collections.abc import Callable

from surefoot.quoting import literal

# How a value of a type stands in a statement.
Put = Callable[[str | int | None, str], str]

_LEFT = """
SELECT string_agg('DEALLOCATE ' || name, '; ') FROM pg_catalog.pg_prepared_statements
WHERE name IN ({names})
"""


def cast(value: str | int | None, type_: str) -> str:
    """The value itself."""
    return f"CAST({literal(value)} AS {type_})"


class KeptRow:
    """The names of the prepared statements, by their text."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        # Those that a message was to drop, and others that may be there, or not.
        self._dropped, self._forgotten = list[str](), list[str]()

    def statements(self, make: Callable[[Put], str]) -> list[str]:
        """The statements that do what `make(cast)` does."""
        values, types = list[str](), list[str]()

        def put(value: str | int | None, type_: str) -> str:
            values.append(literal(value))
            types.append(type_)
            return f"${len(values)}"

        text, prepare = make(put), list[str]()
        if text not in self._names:
            # No other run has had it in this session, as behind a pooler that resets nothing.
            self._names[text] = f"surefoot_row_{secrets.token_hex(4)}"
            prepare = [f"PREPARE {self._names[text]} ({', '.join(types)}) AS {text}"]
        return [*prepare, f"EXECUTE {self._names[text]} ({', '.join(values)})"]

    def is_named(self, message: str) -> bool:
        """Whether a message of the server names one of them."""
        return any(name in message for name in (*self._names.values(), *self._dropped))

    def end(self) -> list[str]:
        """The statements that drop them."""
        self._dropped = [*self._names.values()]
        self._names.clear()
        return [f"DEALLOCATE {name}" for name in self._dropped]

    def forget(self) -> None:
        """They may be there, or not: prepare others."""
        self._forgotten += [*self._names.values(), *self._dropped]
        self._names.clear()
        self._dropped = []

    def left(self) -> str | None:
        """The query for the statements that drop those which are there still; None for nothing."""
        names = [*self._names.values(), *self._forgotten]
        self._names.clear()
        self._forgotten = []
        listed = ", ".join(map(literal, names))
        return _LEFT.format(names=listed) if names else None
