"""How a database is reached: its URL, its connections and engines, and the errors of both.

Each name is imported at its first use: a first look at a database needs neither SQLAlchemy nor the
errors that connecting can meet.
"""

from typing import TYPE_CHECKING

from surefoot.lazily import importing

if TYPE_CHECKING:
    from surefoot.connect.any_failure import DATABASE_ERRORS as DATABASE_ERRORS
    from surefoot.connect.database import Database as Database
    from surefoot.connect.database import Role as Role
    from surefoot.connect.failures import TRY_AGAIN as TRY_AGAIN
    from surefoot.connect.failures import UNDEFINED_COLUMN as UNDEFINED_COLUMN
    from surefoot.connect.failures import UNDEFINED_TABLE as UNDEFINED_TABLE
    from surefoot.connect.failures import describe as describe
    from surefoot.connect.failures import explain as explain
    from surefoot.connect.failures import explained as explained
    from surefoot.connect.failures import sqlstate as sqlstate
    from surefoot.connect.url import DatabaseUrl as DatabaseUrl

_MODULES = {
    "DATABASE_ERRORS": "any_failure",
    "TRY_AGAIN": "failures",
    "UNDEFINED_COLUMN": "failures",
    "UNDEFINED_TABLE": "failures",
    "Database": "database",
    "DatabaseUrl": "url",
    "Role": "database",
    "describe": "failures",
    "explain": "failures",
    "explained": "failures",
    "sqlstate": "failures",
}
__all__ = list(_MODULES)
__getattr__ = importing(__name__, _MODULES)
