"""Operations that change the values of an enum.

    op.add_enum_value("job_status", "PAUSED", after="RUNNING")
    op.rename_enum_value("job_status", "CANCELLED", "STOPPED")
    op.replace_enum("job_status", ["PENDING", "DONE"], columns=[("jobs", "status")])

Importing this module registers them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.operations.statement import StatementOperation, operation
from surefoot.quoting import APART, literal, quoted

# The arguments of alembic-postgresql-enum's operation of that name.
_THEIRS = {
    "enum_schema": "schema", "enum_name": "type_name",
    "new_value": "value", "before_value": "before",
}  # fmt: skip


@operation("add_enum_value")
@dataclass(eq=False)
class AddEnumValueOp(StatementOperation):
    """Add a value to an enum, at its end unless `before` or `after` names a neighbour.

    No table is rewritten. PostgreSQL allows its use only after the transaction: no default, check,
    index or row of the same revision may name it. Adding it again does nothing.
    """

    type_name: str
    value: str
    before: str | None = field(default=None, kw_only=True)
    after: str | None = field(default=None, kw_only=True)

    @classmethod
    def called(cls, *arguments: Any, **options: Any) -> AddEnumValueOp:
        """As a revision calls it, also one that alembic-postgresql-enum has written."""
        named = {_THEIRS.get(name, name): value for name, value in options.items()}
        return cls(*arguments, **named)

    def __post_init__(self) -> None:
        if self.before is not None and self.after is not None:
            raise ValueError("a value is added before another or after one, not both")

    def sql(self) -> str:
        neighbours = {"BEFORE": self.before, "AFTER": self.after}
        place = "".join(f" {w} {literal(v)}" for w, v in neighbours.items() if v is not None)
        name, value = self.whole(self.type_name), literal(self.value)
        return f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {value}{place}"


@operation("rename_enum_value")
@dataclass(eq=False)
class RenameEnumValueOp(StatementOperation):
    """Rename a value of an enum. Rows, defaults, checks and indexes keep it by its new name."""

    type_name: str
    old: str
    new: str

    def sql(self) -> str:
        name, old, new = self.whole(self.type_name), literal(self.old), literal(self.new)
        return f"ALTER TYPE {name} RENAME VALUE {old} TO {new}"


@operation("replace_enum")
@dataclass(eq=False)
class ReplaceEnumOp(StatementOperation):
    """Give an enum exactly these values, in this order, by a new type.

    `columns` names every column of the type: table and column, before them the schema of a table
    that is not in the search path. Each table is rewritten under ACCESS EXCLUSIVE;
    defaults, and the checks and indexes that name a value, are dropped and created again.
    Drop views and triggers on the columns before.

    On failure: an error names the row, the default or the missing column: a removed value is
    still in use, or `columns` is incomplete.
    """

    type_name: str
    values: Sequence[str]
    columns: Sequence[tuple[str, ...]] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        self.values = tuple(self.values)
        self.columns = tuple(map(tuple, self.columns))

    def sql(self) -> str:
        # One block: the server looks everything up, also where `--sql` writes the statement.
        labels = ", ".join(map(literal, self.values))
        pairs = ", ".join(
            f"[{literal(quoted(APART.join(table)))}, {literal(name)}]"
            for *table, name in self.columns
        )
        return (
            f"DO {BLOCK_TAG}\nDECLARE\n"
            f"    enum_name CONSTANT text := {literal(self.whole(self.type_name))};\n"
            f"    labels CONSTANT text[] := ARRAY[{labels}]::text[];\n"
            f"    pairs CONSTANT text[] := ARRAY[{pairs}]::text[];\n{_REPLACE_ENUM}{BLOCK_TAG}"
        )


def value_steps(
    name: str, old: tuple[str, ...], new: tuple[str, ...]
) -> list[AddEnumValueOp] | list[RenameEnumValueOp] | None:
    """The operations that give an enum other values.

    None where a value goes or moves, which takes a new type. Each added value names the one before
    it, or the next old one.
    """
    if pair := renamed(old, new):
        return [RenameEnumValueOp(name, *pair)]
    if tuple(label for label in new if label in old) != old:
        return None
    first = old[0] if old else None
    return [
        AddEnumValueOp(name, value, after=new[place - 1])
        if place
        else AddEnumValueOp(name, value, before=first)
        for place, value in enumerate(new)
        if value not in old
    ]


def renamed(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, str] | None:
    """The renamed value: the number of values is equal, and one place differs."""
    places = [pair for pair in zip(old, new) if pair[0] != pair[1]]  # noqa: B905 - compared below
    if len(old) != len(new) or len(places) != 1 or places[0][0] in new or places[0][1] in old:
        return None
    return places[0]


# Definitions are read while the old type still has its name; run later, they mean the new type.
# Quotes the block of op.replace_enum; rules know it by this.
BLOCK_TAG = "$replace_enum$"
_REPLACE_ENUM = """\
    former oid := to_regtype(enum_name);
    owner text;
    col text;
    item record;
    lost text;
    held bigint;
    named text[] := '{}';
    again text[] := '{}';
    step text;
BEGIN
    IF former IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('there is no enum %s', enum_name);
    END IF;
    FOR place IN 1 .. coalesce(array_length(pairs, 1), 0) LOOP
        owner := pairs[place][1];
        col := pairs[place][2];
        named := named || (owner::regclass::oid || '.' || col);
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', owner);
        SELECT a.atttypid <> former AS is_array, pg_get_expr(d.adbin, d.adrelid) AS value
        INTO STRICT item
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = owner::regclass AND a.attname = col;
        EXECUTE format(
            CASE WHEN item.is_array
            THEN 'SELECT string_agg(DISTINCT v, '', ''), count(*) FROM %s, unnest(%I::text[]) v '
                 'WHERE v <> ALL ($1)'
            ELSE 'SELECT string_agg(DISTINCT %2$I::text, '', ''), count(*) FROM %1$s '
                 'WHERE %2$I::text <> ALL ($1)' END, owner, col)
        INTO lost, held USING labels;
        IF held > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'check_violation',
                MESSAGE = format('rows of %s.%s hold %s, which %s is to lose: %s',
                                 owner, col, lost, enum_name, held),
                HINT = 'Give them another value, or delete them, before.';
        END IF;
        IF item.value IS NOT NULL THEN
            EXECUTE format('SELECT (%s)::text', item.value) INTO lost;
            IF NOT item.is_array AND lost <> ALL (labels) THEN
                RAISE EXCEPTION USING ERRCODE = 'check_violation',
                    MESSAGE = format('the default of %s.%s is %s, which %s is to lose',
                                     owner, col, lost, enum_name),
                    HINT = 'Change or drop the default before.';
            END IF;
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', owner, col);
            again := again || format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s',
                                     owner, col, item.value);
        END IF;
    END LOOP;
    SELECT string_agg(c.relname || '.' || a.attname, ', ') INTO lost
    FROM pg_type t JOIN pg_attribute a ON a.atttypid IN (t.oid, t.typarray)
    JOIN pg_class c ON c.oid = a.attrelid
    WHERE t.oid = former AND c.relkind IN ('r', 'p') AND a.attinhcount = 0
      AND NOT a.attisdropped AND c.oid || '.' || a.attname <> ALL (named);
    IF lost IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = format('%s is of type %s too', lost, enum_name),
            HINT = 'Name it in columns=.';
    END IF;
    FOR item IN
        SELECT DISTINCT k.conrelid::regclass AS owner, quote_ident(k.conname) AS name,
               pg_get_constraintdef(k.oid) AS definition,
               obj_description(k.oid, 'pg_constraint') AS comment
        FROM pg_constraint k JOIN pg_depend d
             ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
        WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = former AND k.conrelid <> 0
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %s', item.owner, item.name);
        again := again || format('ALTER TABLE %s ADD CONSTRAINT %s %s',
                                 item.owner, item.name, item.definition);
        IF item.comment IS NOT NULL THEN
            again := again || format('COMMENT ON CONSTRAINT %s ON %s IS %L',
                                     item.name, item.owner, item.comment);
        END IF;
    END LOOP;
    FOR item IN
        SELECT DISTINCT i.indexrelid::regclass::text AS name,
               pg_get_indexdef(i.indexrelid) AS definition,
               obj_description(i.indexrelid, 'pg_class') AS comment
        FROM pg_index i JOIN pg_depend d
             ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = former
    LOOP
        EXECUTE format('DROP INDEX %s', item.name);
        again := again || item.definition;
        IF item.comment IS NOT NULL THEN
            again := again || format('COMMENT ON INDEX %s IS %L', item.name, item.comment);
        END IF;
    END LOOP;
    SELECT n.nspname AS namespace, t.typname AS name,
           obj_description(t.oid, 'pg_type') AS comment INTO STRICT item
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = former;
    EXECUTE format('ALTER TYPE %s RENAME TO %I', former::regtype, 'former_' || former);
    EXECUTE format('CREATE TYPE %I.%I AS ENUM (%s)', item.namespace, item.name,
                   (SELECT string_agg(quote_literal(label), ', ' ORDER BY place)
                    FROM unnest(labels) WITH ORDINALITY AS u (label, place)));
    IF item.comment IS NOT NULL THEN
        EXECUTE format('COMMENT ON TYPE %I.%I IS %L', item.namespace, item.name, item.comment);
    END IF;
    FOR place IN 1 .. coalesce(array_length(pairs, 1), 0) LOOP
        owner := pairs[place][1];
        col := pairs[place][2];
        SELECT CASE WHEN a.atttypid <> former THEN '[]' ELSE '' END AS suffix INTO STRICT item
        FROM pg_attribute a
        WHERE a.attrelid = owner::regclass AND a.attname = col;
        EXECUTE format('ALTER TABLE %1$s ALTER COLUMN %2$I TYPE %3$s%4$s '
                       'USING %2$I::text%4$s::%3$s%4$s', owner, col, enum_name, item.suffix);
    END LOOP;
    FOREACH step IN ARRAY again LOOP
        EXECUTE step;
    END LOOP;
    EXECUTE format('DROP TYPE %s', former::regtype);
END
"""
