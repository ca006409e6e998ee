"""Objects that a release relies on without a table of its own: what changes them is found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hazards.bench import Bench
from hazards.test_what_is_seen import linted

# There before the changes.
MADE = """
op.execute("CREATE DOMAIN tier AS text DEFAULT 'basic'")
op.execute("CREATE TYPE money AS (amount numeric, currency text)")
op.execute("CREATE TABLE lines (id bigint PRIMARY KEY, tier tier NOT NULL, body text, secret text)")
op.execute("CREATE TABLE plain (line text)")
op.execute("CREATE FUNCTION longer(text, text) RETURNS text LANGUAGE sql RETURN greatest($1, $2)")
op.execute("CREATE AGGREGATE longest(text) (SFUNC = longer, STYPE = text)")
op.execute("CREATE TEXT SEARCH CONFIGURATION words (COPY = english)")
op.execute("CREATE COLLATION german (provider = libc, locale = 'C')")
op.execute("CREATE COLLATION docs_german (provider = libc, locale = 'C')")
op.execute("CREATE VIEW open AS SELECT id, body FROM lines WHERE id > 0")
op.execute("CREATE VIEW own WITH (security_invoker = true) AS SELECT id FROM lines")
op.execute("ALTER TABLE lines ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
op.execute("CREATE POLICY everybody ON lines USING (true)")
op.execute("CREATE FOREIGN DATA WRAPPER nothing")
op.execute("CREATE SERVER central FOREIGN DATA WRAPPER nothing OPTIONS (host 'a')")
op.execute("CREATE USER MAPPING FOR PUBLIC SERVER central")
op.execute("CREATE FOREIGN TABLE far (id bigint) SERVER central OPTIONS (name 'a')")
"""
BAD: Mapping[str, str] = {
    "ALTER DOMAIN tier DROP DEFAULT": "avoid-dropping-a-default",
    "ALTER TYPE money ADD ATTRIBUTE at date": "avoid-changing-a-type",
    "CREATE OR REPLACE AGGREGATE longest(text) (SFUNC = longer, STYPE = text, INITCOND = 'm')": (
        "avoid-changing-a-function"
    ),
    "CREATE CAST (integer AS text) WITH INOUT AS IMPLICIT": "avoid-changing-a-function",
    "ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR word WITH simple": (
        "avoid-dropping-an-object"
    ),
    "ALTER TEXT SEARCH CONFIGURATION words RENAME TO words_of_old": "avoid-renaming",
    "ALTER COLLATION german SET SCHEMA archive": "avoid-renaming",
    "ALTER SERVER central OPTIONS (SET host 'b')": "avoid-dropping-an-object",
    "ALTER FOREIGN TABLE far OPTIONS (SET name 'b')": "avoid-dropping-an-object",
    "DROP USER MAPPING FOR PUBLIC SERVER central": "avoid-dropping-an-object",
    "ALTER VIEW open SET (check_option = cascaded)": "avoid-refusing-writes",
    "CREATE OR REPLACE VIEW own AS SELECT id FROM lines": "avoid-hiding-rows",
    "ALTER TABLE lines NO FORCE ROW LEVEL SECURITY": "avoid-hiding-rows",
    "ALTER TABLE lines ALTER COLUMN body SET STORAGE PLAIN": "avoid-refusing-writes",
    "CREATE RULE told AS ON UPDATE TO cache DO ALSO NOTIFY told": "avoid-refusing-writes",
    "ALTER PUBLICATION changes ADD TABLE plain": "avoid-changing-replication",
    "CREATE PUBLICATION partly FOR TABLE cache WHERE (value <> '')": "avoid-changing-replication",
    "ALTER PUBLICATION partly SET (publish_via_partition_root = on)": "avoid-changing-replication",
    "CREATE PUBLICATION every FOR ALL TABLES": "avoid-changing-replication",
    "ALTER TABLE cache SET (toast.autovacuum_enabled = off)": "avoid-disabling-autovacuum",
    "ALTER TABLE tags SET (autovacuum_vacuum_threshold = 2000000000)": (
        "avoid-disabling-autovacuum"
    ),
    "UPDATE alembic_version SET version_num = version_num": "avoid-changing-the-catalog",
    "DECLARE all_tags CURSOR WITH HOLD FOR SELECT 1": "avoid-session-setting",
    "ALTER COLLATION docs_german REFRESH VERSION": "avoid-work-out-of-sight",
    "SET LOCAL client_min_messages = error": "avoid-switching-checks-off",
    "SET LOCAL zero_damaged_pages = on": "avoid-switching-checks-off",
}
GOOD = (
    "DECLARE some_tags CURSOR FOR SELECT 1",
    "ALTER DOMAIN slug SET DEFAULT 'x'",
    "CREATE TEXT SEARCH CONFIGURATION german (COPY = german)",
    "ALTER TEXT SEARCH CONFIGURATION german ALTER MAPPING FOR word WITH simple",
    "CREATE CAST (money AS text) WITH INOUT AS ASSIGNMENT",
    "CREATE OR REPLACE VIEW open AS SELECT id, body, tier FROM lines WHERE id > 0",
    "ALTER TABLE lines ALTER COLUMN secret SET STORAGE EXTERNAL",
    "CREATE PUBLICATION whole FOR TABLE cache (key, value)",
    "ALTER TABLE tags SET (autovacuum_vacuum_scale_factor = 0.01)",
    "CREATE RULE asked AS ON DELETE TO cache DO ALSO NOTIFY told",
    "SET LOCAL client_min_messages = debug2",
)


@pytest.mark.slow
async def test_a_change_of_such_an_object_is_found(bench: Bench, tmp_path: Path) -> None:
    """Each in a revision of its own, on one database."""
    texts = [f'op.execute("{sql}")' for sql in (*GOOD, *BAD)]
    result = await linted(bench, tmp_path, MADE, *texts)
    assert result.trace.failure is None, str(result.trace.failure)
    ids = {f"{number:04}": sql for number, sql in enumerate((*GOOD, *BAD), start=2)}
    found = {(ids.get(f.revision), f.rule) for f in result.findings}
    left_out = {"require-downgrade", "avoid-unbatched-change"}
    assert {each for each in found if each[0] and each[1] not in left_out} == set(BAD.items())
