"""Write and remove files."""

import os
import shutil
from pathlib import Path

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("COMMENT ON TABLE cache IS 'in files'")
    # finds: avoid-work-out-of-sight
    Path("/nowhere/cache").unlink(missing_ok=True)
    # finds: avoid-work-out-of-sight
    shutil.rmtree("/nowhere", ignore_errors=True)
    # finds: avoid-work-out-of-sight
    with open(os.devnull, "w") as file:  # noqa: PTH123
        file.write("x")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
