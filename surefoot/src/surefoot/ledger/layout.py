"""The layout of the ledger's table: its columns, the hash of a row, how an older one is altered.

A column that was added later is the last one in the hash.
"""

import re
from collections.abc import Collection

OUTCOMES = (
    "('started', 'applied', 'failed', 'adopted', 'stamped', 'accepted', 'backup', 'measured', "
    "'backfill')"
)
# One expression computes a hash and checks it. A column that was added later is the last:
# concat_ws leaves NULL out, so the hashes of older rows stay the same.
_HASHED = """encode(sha256(convert_to(concat_ws(E'\\x1f', {p}id, {p}revision, {p}direction,
    {p}phase, {p}outcome, {p}checksum,
    extract(epoch FROM {p}started_at), extract(epoch FROM {p}finished_at),
    {p}statements, {p}attempts, {p}actor::text, {p}build, coalesce({p}fingerprint, ''),
    coalesce({p}error, ''), coalesce({p}reason, ''), {p}previous_sha256{later}),
    'UTF8')), 'hex')"""

CREATE = f"""
CREATE TABLE {{table}} (
    id bigint PRIMARY KEY,
    revision text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('upgrade', 'downgrade', 'stamp')),
    phase text NOT NULL,
    outcome text NOT NULL CONSTRAINT outcome_known CHECK (outcome IN {OUTCOMES}),
    checksum text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    duration_s double precision NOT NULL
        GENERATED ALWAYS AS (extract(epoch FROM finished_at - started_at)) STORED,
    statements integer NOT NULL,
    attempts integer NOT NULL,
    actor jsonb NOT NULL,
    build text NOT NULL,
    fingerprint text,
    error text,
    reason text,
    requires_code text,
    details jsonb,
    previous_sha256 text NOT NULL,
    row_sha256 text NOT NULL
)
"""
# Its columns by name and type.
_COLUMN = re.compile(r"^    (\w+) ([a-z ]+?)(?: NOT NULL| PRIMARY|,|$)", re.MULTILINE)
TYPES_MADE = dict(_COLUMN.findall(CREATE))
ADDED_LATER = ("requires_code", "details")
# quote_all_identifiers quotes a type.
COLUMNS = """
SELECT json_object_agg(attname, replace(format_type(atttypid, NULL), '"', ''))
    FROM pg_catalog.pg_attribute
WHERE attrelid = to_regclass({name}) AND attnum > 0 AND NOT attisdropped
"""
LACKS = f"""
SELECT count(*) < {len(ADDED_LATER)} FROM pg_catalog.pg_attribute
WHERE attrelid = to_regclass({{name}}) AND attnum > 0 AND attname IN {ADDED_LATER}
"""  # noqa: S608 - constants
EXTEND = "ALTER TABLE {table} " + ", ".join(
    f"ADD COLUMN IF NOT EXISTS {name} {TYPES_MADE[name]}" for name in ADDED_LATER
)
# The check of an older ledger allows fewer outcomes, and has the name that PostgreSQL gave it.
NARROW = """
SELECT quote_ident(conname) FROM pg_catalog.pg_constraint
WHERE conrelid = CAST({name} AS regclass) AND contype = 'c'
  AND pg_get_constraintdef(oid) LIKE '%stamped%' AND pg_get_constraintdef(oid) NOT LIKE '%backfill%'
"""
GUARD = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'restrict_violation';
END
$$
"""
TRIGGER = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {function}()
"""


def hashed(prefix: str, without: Collection[str] = ()) -> str:
    """The SQL of a row's hash; columns that an older table lacks are NULL."""
    # With its name, so that a value moved from one column to another is not taken for it.
    values = {
        "requires_code": f"{prefix}requires_code",
        "details": f"'details ' || {prefix}details::text",
    }
    later = "".join(f", {values[name]}" for name in ADDED_LATER if name not in without)
    return _HASHED.format(p=prefix, later=later)


def lacking(columns: Collection[str]) -> frozenset[str]:
    """The columns that a table with these lacks, because an older build made it."""
    return frozenset(name for name in ADDED_LATER if name not in columns)
