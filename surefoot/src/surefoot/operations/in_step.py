"""Operations that keep two columns of a table in step while both are written.

    op.keep_in_step("files", "size", "size_new")
    op.keep_in_step("files", "name", "label", forward="upper(name)", backward="lower(label)")
    op.stop_keeping_in_step("files", "size", "size_new")

The first makes a trigger and its function, the second drops both; each is the way back of the
other. Importing this module registers them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from surefoot.operations.statement import StatementOperation, operation
from surefoot.quoting import IN_STEP, in_schema, literal, quoted

# NAMEDATALEN - 1
_LONGEST_NAME = 63


def object_name(table: str, old: str, new: str) -> str:
    """The name of the trigger and of its function, at most 63 bytes long.

    PostgreSQL runs triggers in the order of their names: this one is to see what others wrote.
    """
    digest = hashlib.sha256("\0".join((table, old, new)).encode()).hexdigest()[:8]
    words = f"{IN_STEP}{table}_{old}_{new}".encode()[: _LONGEST_NAME - 1 - len(digest)]
    return f"{words.decode(errors='ignore')}_{digest}"


@dataclass(eq=False)
class _OnPair(StatementOperation):
    """An operation on two columns of a table."""

    table_name: str
    old: str
    new: str

    @property
    def trigger(self) -> str:
        return quoted(object_name(self.table_name, self.old, self.new))

    @property
    def function(self) -> str:
        return quoted(in_schema(self.schema, object_name(self.table_name, self.old, self.new)))

    def sql(self) -> str:
        return ";\n".join(self.statements())


@operation("keep_in_step")
@dataclass(eq=False)
class KeepInStep(_OnPair):
    """Keep two columns of a table in step, whichever of them a release writes.

    `forward` is an SQL expression on the columns of the row that gives the new column, `backward`
    one that gives the old column; each is assigned to the type of its column. By default it is the
    other column.

    An INSERT that gives one of both fills the other. So does an UPDATE that changes one; one that
    gives the new column what `forward` gives, as a backfill does, leaves the old column. Where both
    are given, both stay. A NULL, or the default of a column, counts as not given at INSERT.

    It takes SHARE ROW EXCLUSIVE for a moment. On failure: PostgreSQL's error where a column is
    missing or generated, or an expression does not fit the table. It refuses to drop either column
    until `op.stop_keeping_in_step`.
    """

    forward: str | None = field(default=None, kw_only=True)
    backward: str | None = field(default=None, kw_only=True)

    def statements(self) -> Iterator[str]:
        table = self.whole(self.table_name)
        if given := ", ".join(f"({each})" for each in (self.forward, self.backward) if each):
            # PL/pgSQL would read them at the first write.
            yield f"SELECT {given} FROM {table} LIMIT 0"  # noqa: S608 - of the revision itself
        made = f"CREATE FUNCTION {self.function}() RETURNS trigger LANGUAGE plpgsql AS "
        yield made + self._body()
        # The condition is always true. PostgreSQL holds the columns that it names: each has to be
        # there and not generated, and none is dropped.
        old, new = quoted(self.old), quoted(self.new)
        yield (
            f"CREATE TRIGGER {self.trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW "
            f"WHEN (num_nulls(NEW.{old}, NEW.{new}) >= 0) EXECUTE FUNCTION {self.function}()"
        )

    def _body(self) -> str:
        values = {"forward": self._value(self.forward, self.old)}
        values["backward"] = self._value(self.backward, self.new)
        names = {"old": quoted(self.old), "new": quoted(self.new)}
        literals = {"old_name": literal(self.old), "new_name": literal(self.new)}
        return f"$keep_in_step${_BODY.format(**values, **names, **literals)}$keep_in_step$"

    def _value(self, expression: str | None, column: str) -> str:
        if expression is None:
            return f"NEW.{quoted(column)}"
        return f"(SELECT {expression} FROM (SELECT NEW.*) AS {quoted(self.table_name)})"  # noqa: S608 - as above


@operation("stop_keeping_in_step")
class StopKeepingInStep(_OnPair):
    """Drop what `op.keep_in_step` made for two columns, before either column or the table goes.

    It takes ACCESS EXCLUSIVE for a moment.
    """

    def statements(self) -> Iterator[str]:
        yield f"DROP TRIGGER {self.trigger} ON {self.whole(self.table_name)}"
        yield f"DROP FUNCTION {self.function}()"


# Records are compared by *=, which takes values of every type as they are stored: json has no other
# comparison, and a value that only looks equal, as 1.0 and 1.00, is a change.
_BODY = r"""
#variable_conflict use_column
DECLARE
    made record;
    given record;
    item record;
    name name;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF ROW(NEW.{old})::record *<> ROW(OLD.{old})::record THEN
            IF ROW(NEW.{new})::record *= ROW(OLD.{new})::record THEN
                NEW.{new} := {forward};
            END IF;
        ELSIF ROW(NEW.{new})::record *<> ROW(OLD.{new})::record THEN
            made := NEW;
            made.{new} := {forward};
            -- A backfill writes what the old column gives.
            IF ROW(NEW.{new})::record *<> ROW(made.{new})::record THEN
                NEW.{old} := {backward};
            END IF;
        END IF;
    ELSIF num_nulls(NEW.{new}) = 1 THEN
        NEW.{new} := {forward};
    ELSIF num_nulls(NEW.{old}) = 1 THEN
        NEW.{old} := {backward};
    ELSE
        made := NEW;
        made.{new} := {forward};
        IF ROW(NEW.{new})::record *= ROW(made.{new})::record THEN
            RETURN NEW;
        END IF;
        -- They differ: one of them may be a default. That of a volatile expression is not known.
        given := NEW;
        FOREACH name IN ARRAY ARRAY[{new_name}, {old_name}] LOOP
            SELECT a.attidentity <> '' AS varies, coalesce(d.adbin, t.typdefaultbin) AS tree,
                   pg_get_expr(coalesce(d.adbin, t.typdefaultbin), a.attrelid) AS value
            INTO item FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = TG_RELID AND a.attname = name;
            -- Only a call can be volatile.
            IF item.value LIKE '%(%' THEN
                item.varies := EXISTS (
                    SELECT FROM regexp_matches(item.tree::text, 'funcid (\d+)', 'g') m
                    WHERE 'v' = (SELECT provolatile FROM pg_proc WHERE oid = m[1]::oid));
            END IF;
            CONTINUE WHEN NOT item.varies AND item.value IS NULL;
            IF name = {new_name} THEN
                IF NOT item.varies THEN
                    EXECUTE 'SELECT ' || item.value INTO given.{new};
                END IF;
                IF ROW(NEW.{new})::record *= ROW(given.{new})::record THEN
                    NEW.{new} := made.{new};
                    EXIT;
                END IF;
            ELSE
                IF NOT item.varies THEN
                    EXECUTE 'SELECT ' || item.value INTO given.{old};
                END IF;
                IF ROW(NEW.{old})::record *= ROW(given.{old})::record THEN
                    NEW.{old} := {backward};
                END IF;
            END IF;
        END LOOP;
    END IF;
    RETURN NEW;
END
"""
