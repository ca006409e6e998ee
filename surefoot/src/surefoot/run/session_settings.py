"""SessionSettings are the settings that the session of a run came with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field

from surefoot.frozen import dataclass
from surefoot.quoting import literal

# The settings that the session itself has set, and those that pg_settings does not list; without
# those of one transaction.
READ = """
SELECT json_build_object('changed', coalesce((SELECT json_object_agg(name, setting)
    FROM pg_catalog.pg_settings WHERE source = 'session'
    AND name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')),
    '{}'),
    'user', session_user::text, 'role', current_setting('role'))::text
"""
_RESET = "RESET ALL"
# The guard of data has to know that rows were not counted. A block needs PL/pgSQL, which loads
# settings of its own into the session.
_RESET_BUT_COUNTS = """
DO $restore$ DECLARE counts text := current_setting('track_counts'); BEGIN
    RESET ALL;
    IF counts <> current_setting('track_counts') THEN
        PERFORM set_config('track_counts', counts, true);
    END IF;
END $restore$
"""


@dataclass(frozen=True)
class SessionSettings:
    """The role of a session, and what differs from the settings that it got at connect."""

    user: str
    role: str
    changed: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(answer: str | None) -> SessionSettings:
        """Those in the answer to READ."""
        return SessionSettings(**json.loads(answer or "{}"))

    def but(self, name: str) -> tuple[str, str, Mapping[str, str]]:
        """All of them except for one setting, to compare."""
        return self.user, self.role, {n: v for n, v in self.changed.items() if n != name}

    def restored(self, *, but_counts: bool) -> tuple[str, str]:
        """A statement and a query that give them back to the session, whatever has set others.

        RESET ALL leaves the role alone, and forgets what the session had set before the run.
        """
        had = {"session_authorization": self.user, "role": self.role, **self.changed}
        given = (f"set_config({literal(n)}, {literal(v)}, false)" for n, v in had.items())
        return _RESET_BUT_COUNTS if but_counts else _RESET, f"SELECT concat({', '.join(given)})"
