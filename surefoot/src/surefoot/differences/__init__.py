"""Drift is the difference between a database and the schema that its revisions give.

    revisions up to the database's own -> a scratch database -> Catalog --+
    target ---------------------------------------------------> Catalog --+-> Deviations -> Drift
    fingerprints in the ledger ------------------------------> since when ----------------'
    models -> a schema on the scratch database -> Catalog, compared with head

Nothing is written to the target; a role that may only read is enough.
"""

from surefoot.differences.detection import drift
from surefoot.differences.deviations import deviations, without_excluded
from surefoot.differences.model import Deviation, Drift, Repair, Since
from surefoot.differences.text import listing, render

__all__ = [
    "Deviation", "Drift", "Repair", "Since", "deviations", "drift", "listing", "render",
    "without_excluded",
]  # fmt: skip
