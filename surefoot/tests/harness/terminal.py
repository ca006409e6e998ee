"""A terminal with a command on it, and its screen as a person sees it.

async with on_a_terminal("alembic", "upgrade", "head", cwd=folder, url=url, columns=60) as terminal:
    await terminal.shows("1 of 2")
    terminal.resize(40)
"""

from __future__ import annotations

import asyncio
import codecs
import fcntl
import os
import re
import struct
import sys
import termios
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from harness.clock import within
from harness.server import LIBRARY

PROGRAMS = {
    "alembic": "from alembic.config import main; main()",
    "surefoot": "from surefoot.cli import main; main()",
}
_PART = re.compile(r"\x1b\[(\d*)([A-Za-z])|(.)", re.DOTALL)

_BEGUN = re.compile(r"\x1b(?:\[\d*)?$")


class Screen:
    """The rows of a terminal that is so wide; it has all rows that were ever written."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows: list[list[str]] = [[]]
        self.row = self.column = 0
        # The texts of rows that did not fit.
        self.wrapped: list[str] = []

    def feed(self, text: str) -> None:
        """Write what a program has written, but for colours."""
        for number, verb, character in _PART.findall(text):
            if verb == "A":
                self.row = max(self.row - int(number or 1), 0)
            elif verb == "J":
                self.rows[self.row] = self.rows[self.row][: self.column]
                del self.rows[self.row + 1 :]
            elif character == "\r":
                self.column = 0
            elif character == "\n":
                self._next_row()
            elif character:
                self._put(character)
            else:
                assert verb == "m", f"the screen has no {verb!r}"

    def _put(self, character: str) -> None:
        cells = cells_of(character)
        if self.column + cells > self.columns:
            self.wrapped.append("".join(self.rows[self.row]))
            self._next_row()
            self.column = 0
        row = self.rows[self.row]
        row.extend(" " * (self.column - len(row)))
        row[self.column : self.column + max(cells, 1)] = [character, *[""] * (cells - 1)]
        self.column += cells

    def _next_row(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])

    @property
    def lines(self) -> list[str]:
        """The rows down to the last one with a text."""
        return "\n".join("".join(row).rstrip() for row in self.rows).rstrip().split("\n")


def cells_of(character: str) -> int:
    """The cells of one of the characters that the tests use."""
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Terminal:
    """A command on a pseudoterminal."""

    def __init__(self, master: int, name: str, columns: int) -> None:
        self.master, self._name, self._loop = master, name, asyncio.get_running_loop()
        self._read, self._left = b"", ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.screen = Screen(columns)
        self.process: asyncio.subprocess.Process | None = None
        # Each state of the screen that the command left it in.
        self.states: list[list[str]] = []
        self._loop.add_reader(master, self._listen)

    @property
    def said(self) -> str:
        """All that was written, with its control sequences."""
        return self._read.decode("utf-8", "replace")

    @property
    def now(self) -> str:
        """The screen as it is now."""
        return "\n".join(self.screen.lines)

    def _listen(self) -> None:
        try:
            part = os.read(self.master, 65536)
        except OSError:  # nobody has the terminal open any more
            part = b""
        if not part:
            self.deafen()
            return
        self._read += part
        text = self._left + self._decoder.decode(part)
        # A control sequence may come in two parts.
        whole = _BEGUN.sub("", text)
        self._left = text[len(whole) :]
        self.screen.feed(whole)
        self.states.append(self.screen.lines)

    def deafen(self) -> None:
        """Read no more."""
        self._loop.remove_reader(self.master)

    def stop(self) -> None:
        """Take no output, as after Ctrl-S."""
        self._flow(termios.TCOOFF)

    def go_on(self) -> None:
        """Take it again, as after Ctrl-Q."""
        self._flow(termios.TCOON)

    def _flow(self, action: int) -> None:
        slave = os.open(self._name, os.O_RDWR | os.O_NOCTTY)
        termios.tcflow(slave, action)
        os.close(slave)

    def close(self) -> None:
        """Go away."""
        if self.master != -1:
            self.deafen()
            os.close(self.master)
            self.master = -1

    def resize(self, columns: int, rows: int = 24) -> None:
        """Change its size; what is on it stays, as on a terminal that wraps no old lines."""
        set_size(self.master, columns, rows)
        self.screen.columns = columns

    async def shows(self, text: str, *, now: bool = True) -> None:
        """Wait until it is on the screen, or was ever written. On failure: TimeoutError."""
        await self.until(lambda: text in (self.now if now else self.said), text)

    async def until(self, condition: Callable[[], bool], told: str = "") -> None:
        """Wait for it. On failure: AssertionError, with the screen."""
        deadline_s = self._loop.time() + within(30)
        while not condition():
            assert self._loop.time() < deadline_s, f"{told!r} was not shown:\n{self.now}"
            await asyncio.sleep(0.02)

    async def end(self) -> int:
        """The exit code, once all was read."""
        assert self.process is not None
        code = await asyncio.wait_for(self.process.wait(), within(30))
        await asyncio.sleep(0.05)
        return code


def set_size(descriptor: int, columns: int, rows: int = 24) -> None:
    """Tell a terminal its size."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@asynccontextmanager
async def on_a_terminal(
    program: str,
    *arguments: str,
    cwd: Path,
    url: str,
    columns: int = 80,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Terminal]:
    """A command whose stdin and stderr are a terminal; it is killed at the end of the block."""
    master, slave = os.openpty()
    set_size(slave, columns)
    terminal = Terminal(master, os.ttyname(slave), columns)
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "ACCESSIBLE", "COLUMNS", "LINES")
    }
    terminal.process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAMS[program], *arguments,
        stdin=slave, stdout=asyncio.subprocess.DEVNULL, stderr=slave, cwd=cwd,
        env={
            **surroundings, "TERM": "xterm-256color", "DATABASE_URL": url,
            "SUREFOOT_TEST_SCRATCH_URL": url,
            "PYTHONPATH": os.pathsep.join(map(str, (LIBRARY / "src", LIBRARY / "tests"))),
            **(env or {}),
        },
    )  # fmt: skip
    os.close(slave)
    try:
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            terminal.process.kill()
        await terminal.process.wait()
        terminal.close()
