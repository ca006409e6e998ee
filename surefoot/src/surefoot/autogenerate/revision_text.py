"""RevisionTexts fills the template of a revision file, where it is called `page`."""

from dataclasses import dataclass, field
from typing import Any

from surefoot.autogenerate.code_format import body, docstring, imports
from surefoot.errors.names import command


@dataclass(frozen=True)
class RevisionText:
    """The generated texts of one revision; a person adds the rest.

    The defaults are for a revision that a person writes: `contract` makes them review the phase.
    """

    why: str = "<The reason, and facts that the code below does not show.>"
    phase: str = "contract"
    locks: str = "<which locks, on which tables, for how long>"
    undo: str = "<the effect of the downgrade, and the data that it cannot restore>"


def unmeasured() -> str:
    """The text of a line that a trace completes."""
    return f"not measured; `{command()} plan` measures it."


@dataclass
class RevisionTexts:
    """The texts of the revisions that are being written, by id."""

    texts: dict[str, RevisionText] = field(default_factory=dict)
    body = staticmethod(body)
    imports = staticmethod(imports)

    def of(self, revision: str) -> RevisionText:
        """The texts of a revision; the defaults where none were generated."""
        return self.texts.get(revision, RevisionText())

    @staticmethod
    def title(message: str) -> str:
        """The message as the first lines of a docstring."""
        text = " ".join(message.split())
        text = text[:1].upper() + text[1:]
        return docstring(text if text.endswith((".", "!", "?")) else f"{text}.", first=3)

    @staticmethod
    def line(word: str, text: str) -> str:
        """`Locks: …`, over as many lines as it takes."""
        return docstring(f"{word}: {text}")

    @staticmethod
    def literal(value: Any) -> str:
        if value is None or isinstance(value, str):
            return "None" if value is None else f'"{value}"'
        items = [RevisionTexts.literal(item) for item in value]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
