"""The same SQL, written in another way: what a rule sees must not depend on how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from surefoot.trace.statement import Statement

_FILE = '''\
"""Do the same, written in another way."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = {phase!r}


def upgrade() -> None:
{body}

def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
'''


def _executed(statements: Sequence[str]) -> str:
    """A call of op.execute each."""
    return "".join(f"    op.execute({_escaped(sql)!r})\n" for sql in statements)


def _in_blocks(statements: Sequence[str]) -> str:
    """A DO block each, which runs it as a string."""
    blocks = (f"DO $do$ BEGIN EXECUTE $sql${sql}$sql$; END $do$" for sql in statements)
    return _executed(list(blocks))


def _in_a_loop(statements: Sequence[str]) -> str:
    """Words in a list, which a loop puts together."""
    words = [_escaped(sql).split(" ") for sql in statements]
    return f"    for words in {words!r}:\n        op.execute(' '.join(words))\n"


def _escaped(sql: str) -> str:
    return sql.replace(":", r"\:")


DISGUISES: Mapping[str, Callable[[Sequence[str]], str]] = {
    "executed": _executed,
    "block": _in_blocks,
    "loop": _in_a_loop,
}


def disguised(name: str, statements: Sequence[Statement], phase: str) -> str:
    """A revision file that does what the statements do."""
    return _FILE.format(phase=phase, body=DISGUISES[name]([s.sql for s in statements]))
