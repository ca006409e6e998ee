"""Effect is one change that a statement made to a schema: a difference of two Snapshots, by oid.

An effect on a relation that the revision itself created is `fresh`: nothing uses the relation yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from surefoot.trace.snapshot import Activity, Column, Constraint, Relation, Snapshot

T = TypeVar("T")


@dataclass(frozen=True)
class Effect:
    """One change to one relation, type or routine of a schema."""

    kind: str
    relation: str
    name: str = ""
    # Whether the revision itself created the object.
    fresh: bool = False
    # Details by kind: the type of a column, the table that a constraint references.
    facts: Mapping[str, Any] = field(default_factory=dict)


def effects(before: Snapshot, after: Snapshot, known: frozenset[int]) -> tuple[Effect, ...]:
    """The changes between the Snapshots; `known` are the relations from before the revision."""
    return tuple(_Comparison(before, after, known).all())


def activity(before: Snapshot, after: Snapshot) -> Mapping[int, Activity]:
    """The rows read and written between the Snapshots, by relation."""
    found = {oid: each.since(before.activity.get(oid)) for oid, each in after.activity.items()}
    return {oid: each for oid, each in found.items() if each != Activity(oid)}


class _Comparison:
    def __init__(self, before: Snapshot, after: Snapshot, known: frozenset[int]) -> None:
        self.before = before
        self.after = after
        self.known = known
        self.renamed_schemas = {
            was.name
            for _, now, was in _pairs(before.schemas, after.schemas)
            if now is not None and was is not None
        }

    def all(self) -> Iterator[Effect]:
        yield from self.relations()
        yield from self.columns()
        yield from self.constraints()
        yield from self.indexes()
        yield from self.attached()
        yield from self.types()

    def relations(self) -> Iterator[Effect]:
        for oid, new, old in _pairs(self.before.relations, self.after.relations):
            if new is None:
                if old.kind not in "iI":
                    yield self.on(oid, "dropped", facts={"kind": old.kind})
            elif old is None:
                if new.kind not in "iI":
                    yield self.on(oid, "created", facts={"kind": new.kind})
                    for parent in new.parents:
                        yield self.on(parent, "partition_created", new.label)
            else:
                yield from self.relation_changed(oid, new, old)
        for _, now, was in _pairs(self.before.schemas, self.after.schemas):
            if now is not None and was is not None:
                yield Effect("schema_renamed", was.name, facts={"to": now.name})

    def relation_changed(self, oid: int, new: Relation, old: Relation) -> Iterator[Effect]:
        moved = new.schema != old.schema and old.schema not in self.renamed_schemas
        if new.name != old.name or moved:
            yield self.on(oid, "renamed", old.label, facts={"to": new.label, "kind": new.kind})
        if new.filenode != old.filenode and new.kind != "S":
            facts = {"kind": new.kind, "bytes": (old.size_bytes, new.size_bytes)}
            yield self.on(oid, "rewritten", facts=facts)
        if new.persistence != old.persistence:
            yield self.on(oid, "persistence_changed", facts={"to": new.persistence})
        if new.owner != old.owner:
            yield self.on(oid, "owner_changed")
        if new.row_security != old.row_security:
            yield self.on(oid, "row_security_changed")
        if new.kind in "iI":
            return
        for parent in set(new.parents) - set(old.parents):
            yield self.on(parent, "attached", new.label)
        for parent in set(old.parents) - set(new.parents):
            yield self.on(parent, "detached", new.label)

    def columns(self) -> Iterator[Effect]:
        for (oid, _), new, old in _pairs(self.before.columns, self.after.columns):
            if new is None:
                if oid in self.after.relations:
                    yield self.on(oid, "column_dropped", old.name)
            elif old is None:
                if self.after.relations[oid].kind in "vm":
                    continue
                facts = {
                    "type": new.type,
                    "required": new.required,
                    "default": new.default,
                    "identity": bool(new.identity),
                    "generated": new.generated,
                    "with_table": oid not in self.before.relations,
                }
                yield self.on(oid, "column_added", new.name, facts=facts)
            else:
                if new.name != old.name:
                    yield self.on(oid, "column_renamed", old.name, facts={"to": new.name})
                if _typed(new) != _typed(old) or new.type_oid != old.type_oid:
                    facts = {"former": _typed(old), "type": _typed(new)}
                    yield self.on(oid, "column_retyped", new.name, facts=facts)
                if new.generated == old.generated == "s" and new.default != old.default:
                    yield self.on(oid, "column_recomputed", new.name)
                if new.required and not old.required:
                    yield self.on(oid, "column_required", new.name)

    def constraints(self) -> Iterator[Effect]:
        remade = self.remade_constraints()
        for oid, new, old in _pairs(self.before.constraints, self.after.constraints):
            if oid in remade:
                if old is None:
                    yield self.on(new.relation, "constraint_remade", new.name, new.type)
            elif new is None:
                facts = {
                    "kind": old.kind,
                    "references": self.label(old.references),
                    "with_table": old.relation not in self.after.relations,
                    "with_referenced": old.references not in self.after.relations,
                }
                yield self.on(old.relation, "constraint_dropped", old.name, old.type, facts)
            elif old is None:
                index = self.before.indexes.get(new.index)
                facts = {
                    "kind": new.kind,
                    "validated": new.validated,
                    "references": self.label(new.references),
                    "referenced_fresh": new.references not in self.known,
                    "used_index": index is not None,
                    "columns": tuple(self.column(new.relation, n) for n in new.columns),
                    "indexed": self.leads_an_index(new.relation, new.columns),
                    "inherited": bool(new.parent),
                }
                yield self.on(new.relation, "constraint_added", new.name, new.type, facts)
            elif new.validated and not old.validated:
                facts = {"kind": new.kind, "references": self.label(new.references)}
                yield self.on(new.relation, "constraint_validated", new.name, new.type, facts)
            elif new.name != old.name:
                yield self.on(new.relation, "constraint_renamed", old.name, new.type)

    def remade_constraints(self) -> frozenset[int]:
        """Those that one statement dropped and created again: the oids of both."""

        def named(constraints: Mapping[int, Constraint]) -> Mapping[object, int]:
            return {(c.relation, c.type, c.name, c.kind): oid for oid, c in constraints.items()}

        return _exchanged(named(self.before.constraints), named(self.after.constraints))

    def remade_indexes(self) -> frozenset[int]:
        """Those that one statement dropped and created again: the oids of both."""

        def named(state: Snapshot) -> Mapping[object, int]:
            return {(i.relation, state.relations[o].label): o for o, i in state.indexes.items()}

        return _exchanged(named(self.before), named(self.after))

    def indexes(self) -> Iterator[Effect]:
        remade = self.remade_indexes()
        made = {each.index for each in self.after.constraints.values() if each.index}
        for oid, new, old in _pairs(self.before.indexes, self.after.indexes):
            if oid in remade:
                if old is None:
                    label = self.after.relations[oid].label
                    yield self.on(new.relation, "index_remade", label)
            elif new is None:
                label = self.before.relations[oid].label
                if old.relation in self.after.relations:
                    yield self.on(old.relation, "index_dropped", label)
            elif old is None:
                facts = {
                    "unique": new.unique,
                    "constraint": oid in made and oid not in self.before.relations,
                    "valid": new.valid,
                    "partial": new.partial,
                    "columns": tuple(self.column(new.relation, n) for n in new.columns),
                    "inherited": bool(self.after.relations[oid].parents),
                }
                label = self.after.relations[oid].label
                yield self.on(new.relation, "index_created", label, facts=facts)
            elif old.valid != new.valid:
                label = self.after.relations[oid].label
                yield self.on(
                    new.relation, "index_validity_changed", label, facts={"valid": new.valid}
                )

    def attached(self) -> Iterator[Effect]:
        for what in ("trigger", "policy", "rule"):
            field = {"trigger": "triggers", "policy": "policies", "rule": "rules"}[what]
            was, now = getattr(self.before, field), getattr(self.after, field)
            for _, new, old in _pairs(was, now):
                if new is None:
                    if old.relation in self.after.relations:
                        yield self.on(old.relation, f"{what}_dropped", old.name)
                elif old is None:
                    yield self.on(new.relation, f"{what}_created", new.name)
                elif new != old:
                    yield self.on(new.relation, f"{what}_changed", new.name)

    def types(self) -> Iterator[Effect]:
        for _, new, old in _pairs(self.before.labels, self.after.labels):
            if old is None:
                name = self.after.types[new.type].name
                fresh = new.type not in self.before.types
                yield Effect("value_added", name, new.label, fresh)
            elif new is not None and new.label != old.label:
                name = self.after.types[new.type].name
                yield Effect("value_renamed", name, old.label, facts={"to": new.label})
        for _, new, old in _pairs(self.before.types, self.after.types):
            if new is None:
                yield Effect("type_dropped", old.name)
            elif old is None:
                facts = {"kind": new.kind, "required": new.required}
                yield Effect("type_created", new.name, fresh=True, facts=facts)
            elif new.name != old.name:
                yield Effect("type_renamed", old.name, facts={"to": new.name})
            elif new.required and not old.required:
                yield Effect("domain_required", new.name)
        for _, new, old in _pairs(self.before.routines, self.after.routines):
            if new is not None and old is not None and new.name != old.name:
                yield Effect("routine_renamed", old.name, facts={"to": new.name})
            elif new is None:
                yield Effect("routine_dropped", old.name)

    def on(
        self,
        oid: int,
        kind: str,
        name: str = "",
        type_: int = 0,
        facts: Mapping[str, Any] | None = None,
    ) -> Effect:
        """An effect on a relation, or on a domain if there is no relation."""
        if not oid and type_:
            named = (self.after.types.get(type_) or self.before.types[type_]).name
            fresh = type_ not in self.before.types
            return Effect(kind, named, name, fresh, {**(facts or {}), "domain": True})
        return Effect(kind, self.label(oid), name, oid not in self.known, facts or {})

    def label(self, oid: int) -> str:
        found = self.before.relations.get(oid) or self.after.relations.get(oid)
        return found.label if found else ""

    def column(self, relation: int, number: int) -> str:
        found = self.after.columns.get((relation, number))
        return found.name if found else ""

    def leads_an_index(self, relation: int, columns: tuple[int, ...]) -> bool:
        """Whether a valid, non-partial index begins with the columns, in any order."""
        return any(
            set(index.columns[: len(columns)]) == set(columns)
            for index in self.after.indexes.values()
            if index.relation == relation and index.valid and not index.partial
        )


def _typed(column: Column) -> str:
    """The type of a column, with its collation if that is not the default."""
    return column.type + (f' COLLATE "{column.collation}"' if column.collation else "")


def _exchanged(before: Mapping[object, int], after: Mapping[object, int]) -> frozenset[int]:
    """The oids of both sides where the name is the same and the oid is not."""
    pairs = ((before[name], after[name]) for name in before.keys() & after.keys())
    return frozenset(oid for pair in pairs if pair[0] != pair[1] for oid in pair)


def _pairs(before: Mapping[Any, T], after: Mapping[Any, T]) -> Iterator[tuple[Any, Any, Any]]:
    """Key, new and old value of each entry that differs."""
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if old != new:
            yield key, new, old
