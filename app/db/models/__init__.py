"""The models: the schema of this build, in SQLAlchemy's terms.

Importing this package fills `metadata` with every table, and with the functions, triggers and
views that `objects` declares.
"""

from app.db.models import objects as objects
from app.db.models.api_keys import ApiKey
from app.db.models.base import Base, metadata
from app.db.models.files import File, MediaType, Volume
from app.db.models.jobs import Job, JobResult, JobStatus

__all__ = [
    "ApiKey",
    "Base",
    "File",
    "Job",
    "JobResult",
    "JobStatus",
    "MediaType",
    "Volume",
    "metadata",
]
