"""VēgaFS: a file catalogue on a PostgreSQL whose schema it can vouch for."""

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
ALEMBIC_INI = PROJECT_ROOT / "alembic.ini"
