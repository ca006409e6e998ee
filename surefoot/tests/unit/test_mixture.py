"""Which revisions mix a step outside a transaction with others."""

import pytest

from surefoot.errors import CommitsByItself, MixedRevision
from surefoot.run.guards.mixture import mixture

STEP = 'op.create_index_concurrently("ix", "t", ["a"])'


def source(*lines: str) -> bytes:
    body = "".join(f"    {line}\n" for line in lines)
    return f"from alembic import op\ndef upgrade():\n{body}def downgrade():\n    pass\n".encode()


@pytest.mark.parametrize(
    "lines",
    [[STEP], ['op.execute("a")', 'op.execute("b")'], ["pass"], [f'{STEP[:-1]}, x=op.f("y"))']],
)
def test_one_step_alone_or_none_is_admitted(lines: list[str]) -> None:
    """A single concurrent step, or any number of transactional ones."""
    assert mixture("0008", source(*lines), "upgrade") is None


@pytest.mark.parametrize(
    "lines", [[STEP, STEP], ['op.execute("a")', STEP], [STEP, 'op.execute("a")']]
)
def test_a_step_beside_others_is_refused(lines: list[str]) -> None:
    """Before anything runs, by the source alone."""
    found = mixture("0008", source(*lines), "upgrade")
    assert isinstance(found, MixedRevision)
    assert found.exit_code == 3
    assert found.help == "give that step a revision of its own"


def test_the_other_direction_does_not_count() -> None:
    """An upgrade is not refused for what its downgrade holds."""
    assert mixture("0008", source(STEP, STEP), "downgrade") is None


def test_an_autocommit_block_of_ones_own_is_refused() -> None:
    """It commits what came before it, whatever happens after."""
    block = source("with op.get_context().autocommit_block():", "  pass")
    assert isinstance(mixture("0008", block, "upgrade"), CommitsByItself)
