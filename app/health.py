"""/livez answers as long as the process runs. Readiness is the library's: see app/ops.

Liveness does not depend on the database: an orchestrator must not restart a service because its
database is away.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


@router.get("/livez", summary="Liveness")
async def live() -> Alive:
    """The process answers, whatever state its database is in."""
    return Alive()
