"""The project in which autogenerate writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from harness.generation import Project, on_empty


@pytest.fixture
async def project(connection: AsyncConnection, tmp_path: Path) -> Project:
    """A folder without a revision, on an empty database."""
    return await on_empty(tmp_path, connection)
