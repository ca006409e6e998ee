"""SurefootError: a message, the command that helps, an exit code, and how it is shown."""

from __future__ import annotations

from typing import ClassVar


class SurefootError(Exception):
    """An error with a message and the command that helps. `str(error)` is the message alone.

    Example:
        try:
            await upgrade(target, "nope")
        except SurefootError as error:
            print(error.code, error.exit_code, error.render())
    """

    code: ClassVar[str] = "error"
    # An attribute, as that of Interrupted depends on the signal.
    exit_code: int = 1
    word: ClassVar[str] = "ERROR"

    def __init__(self, message: str, *, help: str | None = None) -> None:  # noqa: A002 - the word users read
        super().__init__(message)
        self.message = message
        self.help = help

    def render(self) -> str:
        """The error as a person reads it: state word, code, message, help."""
        first, *rest = self.message.splitlines() or [""]
        lines = [f"{self.word} [{self.code}]  {first}", *(f"  {line.strip()}" for line in rest)]
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The error as one JSON object; its attributes are the fields."""
        fields = {k: v for k, v in vars(self).items() if k not in ("message", "help")}
        return {"code": self.code, "message": self.message, "help": self.help, **fields}
