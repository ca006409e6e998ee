"""Completion in bash behind an equals sign, as in `--format=` and `--level RULE=`.

bash takes the sign for a word of its own, and replaces the word behind it. Click does not.
"""

from __future__ import annotations

from typing import Any

from click.shell_completion import BashComplete, CompletionItem, add_completion_class


class Bash(BashComplete):
    """Joins what bash has split, and offers the part behind the last sign."""

    # The part of the word that stands before the one that bash replaces.
    _kept = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        before, last = super().get_completion_args()
        *words, word = _joined([*before, last])
        if last != word:
            self._kept = word.removesuffix(last.removeprefix("="))
        return words, word

    def format_completion(self, item: CompletionItem[Any]) -> str:
        kept = self._kept
        # The name of an option is no part of what is offered for its value.
        while kept and not item.value.startswith(kept):
            kept = kept.partition("=")[2]
        return f"{item.type},{item.value.removeprefix(kept)}"


def _joined(words: list[str]) -> list[str]:
    found: list[str] = []
    for word in words:
        # An empty word comes after a blank.
        if found and (word == "=" or (word and found[-1].endswith("="))):
            found[-1] += word
        else:
            found.append(word)
    return found


def register() -> None:
    """Let it complete where the shell is bash."""
    add_completion_class(Bash)
