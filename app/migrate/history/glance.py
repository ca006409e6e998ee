"""A glance at the revision table and the ledger: both in one statement, for whoever has no time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection

from app.migrate.history.ledger import TELLING, Ledger, Row

_DIGEST = """encode(sha256(convert_to(
    string_agg(revision || ' ' || checksum, ';' ORDER BY id), 'UTF8')), 'hex')"""
# The revision table's ids, and the ledger's rows in force, oldest first, unless their digest is the
# one that is expected. Most ledgers only ever grew, and then all rows are in force: that is told
# without looking for the last of each.
_GLANCE = f"""
WITH telling AS NOT MATERIALIZED (
    SELECT id, revision, checksum, direction FROM {{table}} WHERE outcome IN {TELLING}
), last AS (
    SELECT DISTINCT ON (revision COLLATE "C") * FROM telling
    ORDER BY revision COLLATE "C", id DESC
), compared AS (
    SELECT CASE WHEN bool_and(direction <> 'downgrade') AND {_DIGEST} = $1 THEN true
        ELSE (SELECT {_DIGEST} = $1 FROM last WHERE direction <> 'downgrade') END AS as_expected
    FROM telling
)
SELECT (SELECT json_agg(version_num) FROM {{version_table}})::text, as_expected,
    CASE WHEN as_expected THEN NULL ELSE (
        SELECT json_agg(json_build_array(l.revision, l.direction, phase, outcome, l.checksum,
            extract(epoch FROM finished_at), to_jsonb(l) ->> 'requires_code') ORDER BY id)
        FROM {{table}} l JOIN last USING (id) WHERE l.direction <> 'downgrade')::text END
FROM compared
"""  # noqa: S608 - constants and the names of our own tables


@dataclass(frozen=True)
class Glance:
    """What the revision table names, and what the ledger holds to be in force.

    `recorded` is None where it is what the digest stands for, empty where there is no ledger.
    """

    heads: frozenset[str]
    recorded: Mapping[str, Row] | None


def glance(connection: Connection, expected: str) -> Glance:
    """Look; the rows are there only where `expected` is not their digest.

    On failure: ProgrammingError, where one of the tables is not there.
    """
    heads, as_expected, rows = connection.exec_driver_sql(
        _GLANCE.format(**Ledger().names), (expected,)
    ).one()
    recorded = None if as_expected else dict(map(_row, json.loads(rows or "[]")))
    return Glance(frozenset(json.loads(heads or "[]")), recorded)


def digest(checksums: Iterable[tuple[str, str]]) -> str:
    """What stands for rows in force: revisions and their checksums, oldest first."""
    listing = ";".join(f"{revision} {checksum}" for revision, checksum in checksums)
    return hashlib.sha256(listing.encode()).hexdigest()


def _row(values: list[Any]) -> tuple[str, Row]:
    revision, direction, phase, outcome, checksum, finished_s, requires_code = values
    finished_at = datetime.fromtimestamp(finished_s, timezone.utc)
    return revision, Row(
        revision,
        direction,
        phase,
        outcome,
        checksum,
        requires_code=requires_code,
        finished_at=finished_at,
    )
