"""Statement: one that a revision really executed, and what it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.migrate.review.trace.effects import Effect
from app.migrate.review.trace.locks import blocks_writers, strongest
from app.migrate.review.trace.state import Work


@dataclass(frozen=True)
class Statement:
    """One statement of one revision, as it was executed on the scratch database.

    Locks, scans and work are of relations that were there before the revision.
    """

    revision: str
    path: Path
    line: int
    number: int
    sql: str
    # Whether it ran in the revision's transaction; otherwise its locks end with it.
    transactional: bool
    effects: tuple[Effect, ...] = ()
    # relation -> the strongest lock that this statement took on it.
    locks: Mapping[str, str] = field(default_factory=dict)
    # relation -> the strongest lock that the transaction held before.
    held: Mapping[str, str] = field(default_factory=dict)
    # index -> its table, for the relations that are indexes.
    tables: Mapping[str, str] = field(default_factory=dict)
    # table -> the rows that it read and wrote.
    work: Mapping[str, Work] = field(default_factory=dict)
    # table -> the rows that the scratch database has.
    rows: Mapping[str, int] = field(default_factory=dict)
    # table -> its bytes there, without indexes.
    bytes: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    lock_timeout_ms: int = 0
    # The SQLSTATE that it ended with.
    error: str | None = None

    @property
    def lock(self) -> str | None:
        """The strongest lock that it took."""
        return strongest(self.locks.values())

    @property
    def rewrites(self) -> frozenset[str]:
        """The tables that were written anew."""
        return (
            frozenset(
                e.relation
                for e in self.effects
                if e.kind == "rewritten" and e.facts["kind"] in "rmp"
            )
            - self.fresh
        )

    @property
    def rebuilds(self) -> frozenset[str]:
        """The indexes that were written anew."""
        return frozenset(
            e.relation for e in self.effects if e.kind == "rewritten" and e.facts["kind"] in "iI"
        )

    @property
    def fresh(self) -> frozenset[str]:
        """The relations that the revision itself made."""
        return frozenset(e.relation for e in self.effects if e.fresh)

    @property
    def scans(self) -> frozenset[str]:
        """The tables that were read from end to end."""
        return frozenset(table for table, work in self.work.items() if work.scans)

    @property
    def changes_rows(self) -> frozenset[str]:
        """The tables with rows that it updated or deleted."""
        return frozenset(t for t, work in self.work.items() if work.updated or work.deleted)

    @property
    def blocks(self) -> bool:
        """Whether writers wait while it runs."""
        return any(blocks_writers(mode) for mode in self.locks.values())

    def of(self, *kinds: str, fresh: bool = False) -> Iterator[Effect]:
        """Its effects of these kinds, on what was there before unless `fresh`."""
        for effect in self.effects:
            if effect.kind in kinds and (fresh or not effect.fresh):
                yield effect
