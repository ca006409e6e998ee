"""Statement is one statement that a revision executed, with its locks, effects and activity."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from surefoot.frozen import dataclass
from surefoot.operations.lock_class import without_comments
from surefoot.trace.effects import Effect
from surefoot.trace.expected_rows import MANY_ROWS, ExpectedRows
from surefoot.trace.lock_modes import STRENGTH, strongest
from surefoot.trace.schema_objects import Activity

_CHANGES = re.compile(r"\s*(?:WITH|UPDATE|DELETE|MERGE|EXPLAIN|EXECUTE|DO)\b", re.IGNORECASE)
_INSERTS = re.compile(r"\s*INSERT\b", re.IGNORECASE)
# At the beginning, or in a block.
_ANALYZES = re.compile(r"(?:^|[;'$]|\bBEGIN)\s*ANALY[ZS]E\b", re.IGNORECASE)
# In a condition that is not one value of a key: a range, a join or a query.
_MANY = re.compile(
    r"(?<![-=<>#])>(?![>@])|<(?![<@>])|\b(?:BETWEEN|SELECT|USING(?! ?\( ?VALUES))\b"
    r"|(?<!DELETE )(?<!DISTINCT )\bFROM\b",
    re.IGNORECASE,
)
_LIMITED = re.compile(r"\b(?:LIMIT|FETCH\s+(?:FIRST|NEXT))\b", re.IGNORECASE)
_TEXT = re.compile(r"'(?:[^']|'')*'")
_LOCKS_ROWS = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+UPDATE|UPDATE|SHARE|KEY\s+SHARE)\b", re.IGNORECASE)
# The keys that a parameter may list.
FEW_KEYS = 100
# The fraction of a table's rows that one statement may change.
FEW = 0.1


@dataclass(frozen=True)
class Statement:
    """One statement of one revision, as it was executed on the scratch database.

    Locks, scans and activity are of relations that existed before the revision.
    """

    revision: str
    line: int
    number: int
    sql: str
    # Whether it ran in the transaction of the revision; otherwise its locks end with it.
    transactional: bool
    # As the driver was given them; of many sets, the first.
    parameters: tuple[Any, ...] = ()
    effects: tuple[Effect, ...] = ()
    # relation -> the strongest lock that this statement took on it.
    locks: Mapping[str, str] = field(default_factory=dict)
    # relation -> the strongest lock that the transaction held before.
    held: Mapping[str, str] = field(default_factory=dict)
    # index -> its table, for the relations that are indexes.
    tables: Mapping[str, str] = field(default_factory=dict)
    # partition (or its index) -> its parent.
    parents: Mapping[str, str] = field(default_factory=dict)
    # table -> the rows that it read and wrote.
    activity: Mapping[str, Activity] = field(default_factory=dict)
    # table -> its rows on the scratch database.
    rows: Mapping[str, int] = field(default_factory=dict)
    # table -> its bytes on the scratch database, without indexes.
    bytes: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    # The lock timeout after it, and the one before it.
    lock_timeout_ms: int = 0
    former_lock_timeout_ms: int = 0
    # How often it ran: by one message with many parameters, or by a line that was measured
    # together with others of it.
    times: int = 1
    # How long after it no statement was sent, while its locks were held.
    idle_s: float = 0.0
    # The rows that it read and wrote in tables that the revision itself created, and the pages of
    # large objects.
    made_rows: int = 0
    # table -> its columns that a sequence numbers, where it inserts rows.
    numbered: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # The settings that it changed, with their values, and those that it changed for the session,
    # and that its revision does not change back.
    sets: Mapping[str, str] = field(default_factory=dict)
    outlives: frozenset[str] = frozenset()
    # The tables of which a changed row changes others: by a trigger, or by a foreign key.
    reacting: frozenset[str] = frozenset()
    # Whether it released an advisory lock from before the revision.
    unlocks: bool = False
    # The notices of IF [NOT] EXISTS, by which it has done nothing or less.
    skipped: tuple[str, ...] = ()
    # The notices of names that were cut.
    cut: tuple[str, ...] = ()
    # The procedural functions that it calls by name; nobody sees which of their branches ran.
    calls: frozenset[str] = frozenset()
    # The SQLSTATE that it ended with.
    error: str | None = None
    # The rows that it is expected to reach on the target; what the target could not tell, and why.
    expected: tuple[ExpectedRows, ...] = ()
    not_seen: str = ""

    @property
    def written(self) -> int:
        """The rows that it reads and writes beside those that it scans for; more on the target."""
        there = sum(e.rows for e in self.expected if e.action == "insert" or e.is_change)
        here = sum(work.written for work in self.activity.values())
        return self.made_rows + max(here, there)

    @property
    def lock(self) -> str | None:
        """The strongest lock that it took."""
        return strongest(self.locks.values())

    @property
    def shown_locks(self) -> Mapping[str, str]:
        """Its locks that others may wait for: of tables, and of an index where that is stronger.

        Every query locks all indexes of its tables.
        """
        modes = {name: STRENGTH[mode] for name, mode in self.locks.items()}
        return {
            name: mode
            for name, mode in self.locks.items()
            if mode != "ACCESS SHARE" and modes[name] > modes.get(self.tables.get(name, ""), -1)
        }

    def named(self, relation: str) -> str:
        """The relation, and the table of an index."""
        table = self.tables.get(relation)
        return f"{relation} of {table}" if table else relation

    @property
    def rewrites(self) -> frozenset[str]:
        """The tables that it rewrote."""
        kinds = (e for e in self.of("rewritten", parts=True) if e.facts["kind"] in "rm")
        return frozenset(e.relation for e in kinds) - self.emptied

    @property
    def rebuilds(self) -> frozenset[str]:
        """The indexes that it rebuilt."""
        built = {e.relation for e in self.of("rewritten") if e.facts["kind"] == "i"}
        return frozenset(built | {e.name for e in self.of("index_remade")})

    @property
    def emptied(self) -> frozenset[str]:
        """The tables that it left without a page; for a table without a row, its text decides.

        A rewrite leaves out the rows that were deleted.
        """
        says_so = "TRUNCATE" in self.sql.upper()
        return frozenset(
            e.relation
            for e in self.of("rewritten", parts=True)
            if e.facts["kind"] == "r"
            and e.facts["bytes"][1] == 0
            and (says_so or (e.facts["bytes"][0] > 0 and self.rows.get(e.relation, 0) > 0))
        )

    @property
    def scans(self) -> frozenset[str]:
        """The tables that it scanned."""
        return frozenset(t for t, work in self.activity.items() if work.scans > 0)

    @property
    def sampled(self) -> frozenset[str]:
        """The tables that it analyzes."""
        analyzed = _ANALYZES.search(self.sql)
        modes = self.locks.items() if analyzed else ()
        return frozenset(name for name, mode in modes if mode == "SHARE UPDATE EXCLUSIVE")

    @property
    def changes_rows(self) -> frozenset[str]:
        """The tables with rows that it updated or deleted."""
        return frozenset(t for t, work in self.activity.items() if work.updated or work.deleted)

    @property
    def sweeps(self) -> frozenset[str]:
        """The tables of which it changes many rows, or may on the rows of the target."""
        there = (e.table for e in self.expected if e.is_change and e.rows > MANY_ROWS)
        here = (t for t, work in self.activity.items() if self._sweeps(t, work))
        return frozenset([*here, *there])

    @property
    def pours(self) -> frozenset[str]:
        """The tables into which it inserts many rows, or copies those of another one."""
        there = (e.table for e in self.expected if e.action == "insert" and e.rows > MANY_ROWS)
        known = {e.table for e in self.expected if e.action == "insert"}
        here = (
            table
            for table, work in self.activity.items()
            if work.inserted > (MANY_ROWS if table in known else self._share_of(table))
        )
        return frozenset([*here, *there])

    def _share_of(self, filled: str) -> float:
        """The rows that are many: also a share of those of another table, which grows with it."""
        if self.locks.get(filled, self.held.get(filled)) != "ROW EXCLUSIVE":
            return MANY_ROWS  # A materialized view is refreshed, or a table rewritten.
        read = [self.rows.get(table, 0) * FEW for table in self.scans - {filled}]
        return min([MANY_ROWS, *(share for share in read if share)])

    @property
    def locks_rows(self) -> frozenset[str]:
        """The tables of which it locks many rows, here or on the target, and changes none."""
        there = [e.table for e in self.expected if e.action == "lock" and e.rows > MANY_ROWS]
        # A text with parameters was tried before, which took the lock.
        modes = {**self.held, **self.locks}
        here = [
            table
            for table, work in self.activity.items()
            if modes.get(table) == "ROW SHARE"
            and (work.scans or work.fetched > self.rows.get(table, 0) * FEW)
        ]
        return frozenset([*there, *(here if here and _LOCKS_ROWS.search(self.sql) else ())])

    @property
    def unmet(self) -> frozenset[str]:
        """The tables with rows that it looks for to change them, where few sample rows are met.

        One value of a unique key is left out: it is of one row, unless that changes others.
        """
        sql = without_comments(self.sql)
        if _INSERTS.match(sql):
            return self._unread(sql)
        if not _CHANGES.match(sql):
            return frozenset()
        lists = (each for each in self.parameters if isinstance(each, list | tuple))
        many = (
            _MANY.search(" ".join(_TEXT.sub("", sql).split()))
            or max(map(len, lists), default=0) > FEW_KEYS
        )
        known = {each.table for each in self.expected} | self.sweeps
        found = set()
        for table in {*self.locks, *self.held} - known:
            work = self.activity.get(table)
            by_one_key = work is not None and not (work.scans or work.probes or many)
            if table in self.reacting and not (work and work.written):
                by_one_key = False
            if work is not None and work.written and _LIMITED.search(sql):
                continue
            if self.rows.get(table) and self._is_changed(table) and not by_one_key:
                found.add(table)
        return frozenset(found)

    def _unread(self, sql: str) -> frozenset[str]:
        """The tables from which it might insert rows, where it has inserted none."""
        if self.written or any(each.action == "insert" for each in self.expected):
            return frozenset()
        words, found = set(re.findall(r"\w+", sql.lower())), set()
        for table, mode in {**self.held, **self.locks}.items():
            work = self.activity.get(table)
            by_one_key = work is not None and not (work.scans or work.probes)
            is_source = mode == "ACCESS SHARE" and table.rpartition(".")[2].lower() in words
            if is_source and self.rows.get(table) and not by_one_key:
                found.add(table)
        return frozenset(found)

    def _is_changed(self, table: str) -> bool:
        """Whether it names the table as the one whose rows it changes; EXECUTE names none."""
        if re.match(r"\s*EXECUTE\b", self.sql, re.IGNORECASE):
            return {**self.held, **self.locks}.get(table) == "ROW EXCLUSIVE"
        name = re.escape(table.rpartition(".")[2])
        words = rf"\b(?:UPDATE|DELETE\s+FROM|MERGE\s+INTO)\s+(?:ONLY\s+)?(?:[\w\"]+\.)?\"?{name}\b"
        return re.search(words, self.sql, re.IGNORECASE) is not None

    def _sweeps(self, table: str, work: Activity) -> bool:
        changed = work.updated + work.deleted
        if changed > self.rows.get(table, 0) * FEW:
            return True
        is_known = any(each.table == table and each.is_change for each in self.expected)
        if is_known or (changed and _LIMITED.search(self.sql)):
            return False
        # It scanned for rows to change, and few sample rows met its condition.
        writes = self.locks.get(table) == "ROW EXCLUSIVE" or self._is_changed(table)
        return writes and work.scans > 0 and not work.inserted

    def of(self, *kinds: str, fresh: bool = False, parts: bool = False) -> Iterator[Effect]:
        """Its effects of these kinds; those on objects of the revision itself only with `fresh`.

        An effect on a table and its partitions is returned once, or with `parts` for each.
        """
        for effect in self.effects:
            if effect.kind not in kinds or (effect.fresh and not fresh):
                continue
            if parts or not self._follows(effect):
                yield effect

    def within(self, table: str, tables: frozenset[str]) -> bool:
        """Whether the table or one of its partitions is in `tables`."""
        above = {self.parents.get(each, "") for each in tables} - {""}
        return table in tables or (bool(above) and self.within(table, frozenset(above)))

    def _follows(self, effect: Effect) -> bool:
        """Whether it follows from the same effect on the parent of the relation."""
        parent = self.parents.get(effect.relation)
        return effect.facts.get("inherited") or any(
            (e.kind, e.relation, e.name) == (effect.kind, parent, effect.name) for e in self.effects
        )
