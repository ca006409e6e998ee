"""Drift is what a database has become beside what its revisions give.

    revisions up to the database's own -> a scratch database -> Catalog --+
    target ---------------------------------------------------> Catalog --+-> Deviations -> Drift
    fingerprints in the ledger ------------------------------> since when ----------------'
    models -> a schema on the scratch database -> Catalog, compared with head

Nothing is written to the target, and a role that may only read is enough.
"""

from app.migrate.proof.drift.deviations import deviations
from app.migrate.proof.drift.look import drift
from app.migrate.proof.drift.model import Deviation, Drift, Repair, Since
from app.migrate.proof.drift.text import listing, render

__all__ = ["Deviation", "Drift", "Repair", "Since", "deviations", "drift", "listing", "render"]
