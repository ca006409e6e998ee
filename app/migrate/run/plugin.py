"""Alembic's entry point for plugins: renders the errors that never reach alembic/env.py.

`alembic show nope` reads the revision files without an environment. Alembic loads this module
while it is being imported itself, so nothing of Alembic can be imported at the top.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin


def setup(plugin: Plugin) -> None:
    """Put the rendering of this project in the place of Alembic's, which exits with 255."""
    from alembic import util  # noqa: PLC0415 - see above

    util.err = _err


def _err(message: str, quiet: bool = False) -> NoReturn:
    from alembic.util.exc import CommandError  # noqa: PLC0415 - see above

    from app.migrate.run.commandline import fail, from_alembic  # noqa: PLC0415 - see above

    # Alembic calls this while it handles the exception, whose cause says more than its text.
    raised = sys.exc_info()[1]
    error = from_alembic(raised if isinstance(raised, CommandError) else CommandError(message))
    if quiet:
        sys.exit(error.exit_code)
    fail(error)
