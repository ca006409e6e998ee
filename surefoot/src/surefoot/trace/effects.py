"""Effect is one change that a statement made to a schema: a difference of two Snapshots, by oid.

An effect on a relation that the revision itself created is `fresh`: nothing uses the relation yet.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any, TypeVar

from surefoot.frozen import dataclass
from surefoot.trace.schema_objects import Column, Constraint, Named, Relation
from surefoot.trace.snapshot import Snapshot

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
    its = _Comparison(before, after, known)
    parts = (its.relations, its.columns, its.constraints, its.indexes, its.types)
    return tuple(effect for part in parts for effect in part())


class _Comparison:
    def __init__(self, before: Snapshot, after: Snapshot, known: frozenset[int]) -> None:
        self.before = before
        self.after = after
        self.known = known
        self.renamed_schemas = {
            was.name: now.name
            for _, now, was in pairs(before.schemas, after.schemas)
            if now is not None and was is not None
        }
        self.retyped = {
            oid
            for (oid, _), now, was in pairs(before.columns, after.columns)
            if now is not None and was is not None and now.has_other_type(was)
        }

    def relations(self) -> Iterator[Effect]:
        for oid, new, old in pairs(self.before.relations, self.after.relations):
            if new is None:
                if old.kind not in "iI":
                    kept = [p for p in old.parents if p in self.after.relations]
                    parent = self.label(kept[0]) if kept else ""
                    facts = {"kind": old.kind, "columns": _columns(self.before, oid)}
                    yield self.on(oid, "dropped", parent=parent, owned=bool(old.owned_by), **facts)
            elif old is None:
                if new.kind not in "iI":
                    facts = {"kind": new.kind, "columns": _columns(self.after, oid)}
                    yield self.on(oid, "created", owned=bool(new.owned_by), **facts)
                    for parent in new.parents:
                        kind = self.after.relations[parent].kind
                        yield self.on(parent, "partition_created", new.label, kind=kind)
            else:
                yield from self.relation_changed(oid, new, old)
        for name, to in self.renamed_schemas.items():
            yield Effect("schema_renamed", name, facts={"to": to})

    def relation_changed(self, oid: int, new: Relation, old: Relation) -> Iterator[Effect]:
        moved = new.schema != old.schema and old.schema not in self.renamed_schemas
        if new.name != old.name or moved:
            facts = {"kind": new.kind, "columns": _columns(self.before, oid), "rights": old.rights}
            yield self.on(oid, "renamed", old.label, to=new.label, **facts)
        if new.filenode != old.filenode and new.kind != "S":
            yield self.on(oid, "rewritten", kind=new.kind, bytes=(old.size_bytes, new.size_bytes))
        elif new.filenode != old.filenode:
            yield self.on(oid, "restarted")
        if new.persistence != old.persistence:
            yield self.on(oid, "persistence_changed", to=new.persistence)
        if new.kind in "iI":
            return
        for parent in set(new.parents) - set(old.parents):
            yield self.on(parent, "attached", new.label, kind=self.after.relations[parent].kind)
        for parent in set(old.parents) - set(new.parents):
            kind = self.before.relations[parent].kind
            yield self.on(parent, "detached", new.label, kind=kind)

    def columns(self) -> Iterator[Effect]:
        for (oid, _), new, old in pairs(self.before.columns, self.after.columns):
            if new is None:
                if oid in self.after.relations:
                    facts = {"users": self.users(oid, old), "generated": old.generated}
                    yield self.on(oid, "column_dropped", old.name, **facts)
            elif old is None:
                if self.after.relations[oid].kind in "vm":
                    yield self.on(oid, "view_extended", new.name)
                else:
                    its = self.after.types.get(new.type_oid)
                    facts = {**new._asdict(), "domain": its is not None and its.kind == "d"}
                    yield self.on(oid, "column_added", new.name, **facts)
            else:
                if new.name != old.name:
                    users = self.users(oid, old)
                    yield self.on(oid, "column_renamed", old.name, to=new.name, users=users)
                if new.has_other_type(old):
                    types = {"former": old.whole_type, "type": new.whole_type}
                    yield self.on(oid, "column_retyped", new.name, **types)
                if new.generated == old.generated == "s" and new.default != old.default:
                    yield self.on(oid, "column_recomputed", new.name)
                if new.required and not old.required:
                    yield self.on(oid, "column_required", new.name)

    def constraints(self) -> Iterator[Effect]:
        states = (self.before.constraints, self.after.constraints)
        remade = _exchanged(*states, self.when_retyped)
        for oid, new, old in pairs(*states):
            if oid in remade:
                if old is None:
                    yield self.on_constraint("remade", new)
            elif new is None:
                yield self.on_constraint(
                    "dropped",
                    old,
                    with_table=old.relation not in self.after.relations,
                    with_referenced=old.references not in self.after.relations,
                    kept=self.is_unique(old.relation, old.columns),
                    required=self.are_required(old.relation, old.columns),
                )
            elif old is None:
                yield self.on_constraint(
                    "added",
                    new,
                    referenced_fresh=new.references not in self.known,
                    used_index=self.was_built(new.index),
                    indexed=self.leads_an_index(new.relation, new.columns),
                    inherited=bool(new.parent),
                )
            elif new.validated and not old.validated:
                yield self.on_constraint("validated", new)
            elif old.validated and not new.validated:
                yield self.on_constraint("unenforced", new)
            elif new.name != old.name:
                yield self.on_constraint("renamed", old, to=new.name)

    def was_built(self, index: int) -> bool:
        """Whether an index was there before, or each of those in partitions that it consists of."""
        parts = [oid for oid in self.after.indexes if index in self.after.relations[oid].parents]
        return index in self.before.indexes or (bool(parts) and all(map(self.was_built, parts)))

    def indexes(self) -> Iterator[Effect]:
        names = {**self.after.relations, **self.before.relations}
        states = (self.before.indexes, self.after.indexes)
        remade = _exchanged(*states, lambda oid, i: (names[oid].label, *i[1:4], *i[5:]))
        made = {each.index for each in self.after.constraints.values() if each.index}
        files = {names[oid].filenode for oid in remade & self.before.indexes.keys()}
        for oid, new, old in pairs(self.before.indexes, self.after.indexes):
            if new is None:
                if oid not in remade and old.relation in self.after.relations:
                    facts = {
                        "unique": old.unique,
                        "columns": self.names(old.relation, old.columns),
                        "kept": self.is_unique(old.relation, old.columns),
                        "left": self.unsupported(old.relation, old.columns),
                    }
                    yield self.on(old.relation, "index_dropped", self.label(oid), **facts)
                continue
            label = self.after.relations[oid].label
            if oid in remade:
                # PostgreSQL keeps the file of an index that the new type does not change.
                if old is None and self.after.relations[oid].filenode not in files:
                    yield self.on(new.relation, "index_remade", label)
            elif old is None:
                facts = new._asdict() | {
                    "constraint": oid in made and oid not in self.before.relations,
                    "columns": self.names(new.relation, new.columns),
                    "inherited": bool(self.after.relations[oid].parents),
                }
                yield self.on(new.relation, "index_created", label, **facts)
            elif old.valid != new.valid:
                yield self.on(new.relation, "index_validity_changed", label, valid=new.valid)

    def types(self) -> Iterator[Effect]:
        for _, new, old in pairs(self.before.labels, self.after.labels):
            if new is None:
                continue
            name = self.after.types[new.type].name
            if old is None:
                yield Effect("value_added", name, new.label, new.type not in self.before.types)
            elif new.label != old.label:
                yield Effect("value_renamed", name, old.label, facts={"to": new.label})
        for _, new, old in pairs(self.before.types, self.after.types):
            if new is None:
                yield Effect("type_dropped", old.name)
            elif old is None:
                yield Effect("type_created", new.name, fresh=True, facts=new._asdict())
            elif to := self.moved(new, old):
                yield Effect("type_renamed", old.name, facts={"to": to})
            elif new.required and not old.required:
                yield Effect("domain_required", new.name)
        for _, new, old in pairs(self.before.routines, self.after.routines):
            if new is not None and old is not None and (to := self.moved(new, old)):
                yield Effect("routine_renamed", old.name, facts={"to": to})

    def when_retyped(self, oid: int, its: Constraint) -> Any:
        """The name under which PostgreSQL makes a constraint again for another type."""
        is_retyped = self.retyped & {its.relation, its.references}
        return (its.relation, its.name, its.kind) if is_retyped else oid

    def users(self, relation: int, column: Column) -> list[str]:
        """The triggers of a relation whose functions name the column."""
        its = (p for p in self.after.provisions.values() if p.relation == relation)
        return [p.name for p in its if column.name.lower() in (p.terms.get("uses") or ())]

    def moved(self, new: Named, old: Named) -> str:
        """The new name of a type or a routine, or nothing."""
        if new.schema != old.schema and old.schema not in self.renamed_schemas:
            return f"{new.schema}.{new.name}"
        return new.name if new.name != old.name else ""

    def on(self, oid: int, kind: str, name: str = "", /, **facts: Any) -> Effect:
        """An effect on a relation."""
        return Effect(kind, self.label(oid), name, oid not in self.known, facts)

    def on_constraint(self, done: str, its: Constraint, **more: object) -> Effect:
        """An effect on a constraint of a relation, or of a domain if there is no relation."""
        facts = {
            **its._asdict(),
            "references": self.label(its.references),
            "columns": self.names(its.relation, its.columns),
            **more,
        }
        if its.relation or not its.type:
            return self.on(its.relation, f"constraint_{done}", its.name, **facts)
        domain = self.after.types.get(its.type) or self.before.types[its.type]
        fresh = its.type not in self.before.types
        facts["domain"] = True
        return Effect(f"constraint_{done}", domain.name, its.name, fresh, facts)

    def label(self, oid: int) -> str:
        found = self.before.relations.get(oid) or self.after.relations.get(oid)
        return found.label if found else ""

    def names(self, relation: int, columns: tuple[int, ...]) -> tuple[str, ...]:
        found = (self.after.columns.get((relation, number)) for number in columns)
        return tuple(each.name if each else "" for each in found)

    def is_unique(self, relation: int, columns: tuple[int, ...]) -> bool:
        """Whether an index still keeps the columns unique."""
        return any(
            index.unique and index.valid and index.immediate and not index.partial
            for index in self.after.indexes.values()
            if index.relation == relation and set(index.columns) == set(columns)
        )

    def are_required(self, relation: int, columns: tuple[int, ...]) -> bool:
        """Whether each of the columns is NOT NULL."""
        found = [self.after.columns.get((relation, number)) for number in columns]
        return all(each and each.required for each in found)

    def unsupported(self, relation: int, columns: tuple[int, ...]) -> Mapping[str, tuple[str, ...]]:
        """Foreign keys that such an index served and no other one does, by the table they name."""
        return {
            self.label(each.references): self.names(relation, each.columns)
            for each in self.after.constraints.values()
            if each.relation == relation and each.kind == "f"
            if set(columns[: len(each.columns)]) == set(each.columns)
            and not self.leads_an_index(relation, each.columns)
        }

    def leads_an_index(self, relation: int, columns: tuple[int, ...]) -> bool:
        """Whether a valid, non-partial index begins with the columns, in any order."""
        its = (each for each in self.after.indexes.values() if each.relation == relation)
        begun = (each.columns[: len(columns)] for each in its if each.valid and not each.partial)
        return any(set(each) == set(columns) for each in begun)


def _columns(snapshot: Snapshot, oid: int) -> frozenset[str]:
    """The columns of a relation with their types."""
    return frozenset(f"{each.name} {each.whole_type}" for each in snapshot.columns_of(oid))


def _exchanged(
    before: Mapping[int, T], after: Mapping[int, T], name: Callable[[int, T], Any]
) -> frozenset[int]:
    """The oids that went, and those that came, under the same name."""
    went = {name(oid, before[oid]): oid for oid in before.keys() - after.keys()}
    came = {name(oid, after[oid]): oid for oid in after.keys() - before.keys()}
    return frozenset(oid for key in went.keys() & came.keys() for oid in (went[key], came[key]))


def pairs(before: Mapping[Any, T], after: Mapping[Any, T]) -> Iterator[tuple[Any, Any, Any]]:
    """Key, new and old value of each entry that differs."""
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old is not new and old != new:
            yield key, new, old
