"""Protects a database in use while Alembic migrates it, on PostgreSQL.

The names below are the library's interface, with `surefoot.errors`, `surefoot.testing`,
`surefoot.web`, `surefoot.cli` and `surefoot.wording`. Each is imported at its first use, so an
env.py pays for Environment alone.
"""

from typing import TYPE_CHECKING

from surefoot.lazily import importing

if TYPE_CHECKING:
    from surefoot.backfill.definition import Backfill as Backfill
    from surefoot.connect.database import Database as Database
    from surefoot.connect.limits import Limits as Limits
    from surefoot.differences.detection import drift as drift
    from surefoot.differences.verification import verify as verify
    from surefoot.environment.environment import Environment as Environment
    from surefoot.errors import SurefootError as SurefootError
    from surefoot.linting.chain_lint import lint as lint
    from surefoot.planning.plan import plan as plan
    from surefoot.project import Project as Project
    from surefoot.run.commands import downgrade as downgrade
    from surefoot.run.commands import stamp as stamp
    from surefoot.run.commands import upgrade as upgrade
    from surefoot.run.narration import narrated as narrated
    from surefoot.run.report import Report as Report
    from surefoot.startup.check import Verdict as Verdict
    from surefoot.startup.check import check as check
    from surefoot.startup.watch import Watch as Watch
    from surefoot.target import Target as Target

__version__ = "0.1.0"
_MODULES = {
    "Backfill": "backfill.definition",
    "Database": "connect.database",
    "Environment": "environment.environment",
    "Limits": "connect.limits",
    "Project": "project",
    "Report": "run.report",
    "SurefootError": "errors",
    "Target": "target",
    "Verdict": "startup.check",
    "Watch": "startup.watch",
    "check": "startup.check",
    "downgrade": "run.commands",
    "drift": "differences.detection",
    "lint": "linting.chain_lint",
    "narrated": "run.narration",
    "plan": "planning.plan",
    "stamp": "run.commands",
    "upgrade": "run.commands",
    "verify": "differences.verification",
}
__all__ = list(_MODULES)
__getattr__ = importing(__name__, _MODULES)
