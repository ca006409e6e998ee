"""GET /files and GET /volumes: the catalogue."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import request_session
from app.files import repository
from app.files.schemas import FileFilter, FilePage, VolumeList

router = APIRouter(tags=["catalogue"])

# "function": the transaction ends before the answer is sent.
Session = Annotated[AsyncSession, Depends(request_session, scope="function")]


@router.get("/files", summary="List files")
async def list_files(
    request: Request, session: Session, wanted: Annotated[FileFilter, Query()]
) -> FilePage:
    """Files of the catalogue, in the order of their volume and path.

    If more files follow, the page has `next`: pass it as `cursor`, with the same filters. A file
    that exists throughout is listed exactly once, whatever is added meanwhile.
    """
    return await repository.find(session, wanted, request.app.state.settings.volumes)


@router.get("/volumes", summary="List volumes")
async def list_volumes(request: Request, session: Session) -> VolumeList:
    """Configured and catalogued volumes, with the number and the size of their files."""
    return await repository.volumes(session, request.app.state.settings.volumes)
