"""GET /files and GET /volumes."""

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import File, Volume
from tests.support.service import asked

MOMENT = datetime(2026, 11, 22, 9, 4, tzinfo=timezone.utc)
# path, size, media type, missing
FILES = [
    ("READ%ME", 5, None, False),
    ("docs/READ_ME.txt", 10, "text/plain", False),
    ("docs/READxME.txt", 20, "text/plain", True),
    ("docs/deep/a.json", 30, "application/json", False),
    ("docs_other", 40, None, False),
    ("ü/é.txt", 50, "text/plain", False),
]


@pytest.fixture
async def catalogue(session: AsyncSession, root: Path) -> Volume:
    """The volume `data` with FILES, and another volume with a file of its own."""
    data = Volume(name="data", root=str(root), scanned_at=MOMENT)
    other = Volume(name="Other", root="/elsewhere")
    session.add_all([data, other])
    await session.flush()
    session.add_all(
        File(
            volume_id=data.id,
            path=path,
            size_bytes=size,
            modified_at=MOMENT,
            mode=0o640,
            media_type=media_type,
            attributes={"n": size},
            first_seen_at=MOMENT,
            last_seen_at=MOMENT,
            missing_since=MOMENT if missing else None,
        )
        for path, size, media_type, missing in FILES
    )
    session.add(File(volume_id=other.id, path="z", size_bytes=1, modified_at=MOMENT, mode=0o4755))
    await session.commit()
    return data


async def paths(api: httpx.AsyncClient, **filters: Any) -> list[str]:
    answer = await api.get("/api/v1/files", params=filters)
    assert answer.status_code == 200, answer.text
    return [file["path"] for file in answer.json()["files"]]


async def test_a_file_is_shown_whole(api: httpx.AsyncClient, catalogue: Volume) -> None:
    """With times in UTC, the mode in octal and the hash null until there is one."""
    answer = await api.get("/api/v1/files", params={"prefix": "docs/deep/"})
    assert answer.status_code == 200
    assert answer.json() == {
        "files": [
            {
                "volume": "data",
                "path": "docs/deep/a.json",
                "name": "a.json",
                "size_bytes": 30,
                "modified_at": "2026-11-22T09:04:00Z",
                "mode": "0640",
                "media_type": "application/json",
                "content_sha256": None,
                "attributes": {"n": 30},
                "first_seen_at": "2026-11-22T09:04:00Z",
                "last_seen_at": "2026-11-22T09:04:00Z",
                "missing_since": None,
            }
        ],
        "next": None,
    }


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [*(path for path, *_ in FILES), "z"]),
        ({"volume": "data"}, [path for path, *_ in FILES]),
        ({"volume": "DATA", "prefix": "docs/deep"}, ["docs/deep/a.json"]),
        ({"volume": "other"}, ["z"]),
        ({"prefix": "docs"}, [path for path, *_ in FILES[1:5]]),
        ({"prefix": "docs/"}, [path for path, *_ in FILES[1:4]]),
        ({"prefix": "docs/READ_"}, ["docs/READ_ME.txt"]),
        ({"prefix": "READ%"}, ["READ%ME"]),
        ({"prefix": "ü/"}, ["ü/é.txt"]),
        ({"prefix": "\\"}, []),
        ({"name": "READ"}, ["READ%ME", "docs/READ_ME.txt", "docs/READxME.txt"]),
        ({"name": "READ_"}, ["docs/READ_ME.txt"]),
        ({"media_type": "text/plain"}, ["docs/READ_ME.txt", "docs/READxME.txt", "ü/é.txt"]),
        ({"size_min": 40}, ["docs_other", "ü/é.txt"]),
        ({"size_max": 10}, ["READ%ME", "docs/READ_ME.txt", "z"]),
        ({"size_min": 10, "size_max": 10}, ["docs/READ_ME.txt"]),
        ({"missing": "true"}, ["docs/READxME.txt"]),
        ({"missing": "false", "name": "READ"}, ["READ%ME", "docs/READ_ME.txt"]),
        ({"limit": 2}, ["READ%ME", "docs/READ_ME.txt"]),
    ],
)
async def test_filters_narrow_the_list(
    api: httpx.AsyncClient, catalogue: Volume, filters: dict[str, Any], found: list[str]
) -> None:
    """Each alone and together; what is special to LIKE is itself."""
    assert await paths(api, **filters) == found


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
async def test_pages_give_every_file_once(
    api: httpx.AsyncClient, catalogue: Volume, limit: int
) -> None:
    """In one order, over two volumes; the last page has no next."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await api.get("/api/v1/files", params={"limit": limit, **cursor})
        page = answer.json()
        found += [file["path"] for file in page["files"]]
        if page["next"] is None:
            break
        assert len(page["files"]) == limit
        cursor = {"cursor": page["next"]}
    assert found == [*(path for path, *_ in FILES), "z"]


async def test_a_configured_volume_that_was_never_used_has_no_files(
    api: httpx.AsyncClient,
) -> None:
    """It is no mistake to ask for it."""
    answer = await api.get("/api/v1/files", params={"volume": "data"})
    assert (answer.status_code, answer.json()) == (200, {"files": [], "next": None})


async def test_an_unknown_volume_is_a_problem(api: httpx.AsyncClient, catalogue: Volume) -> None:
    """It names those that there are."""
    answer = await api.get("/api/v1/files", params={"volume": "nope"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:vegafs:volume-unknown",
        "title": "No volume of that name is configured or catalogued",
        "status": 422,
        "detail": "there is no volume 'nope'; configured: Other, data",
        "instance": "/api/v1/files",
        "code": "volume-unknown",
        "help": "name one of them, or add the folder to VEGAFS_VOLUMES and restart the service",
        "volume": "nope",
        "configured": ["Other", "data"],
    }


async def test_a_wrong_cursor_is_a_problem(api: httpx.AsyncClient) -> None:
    """And says how to go on."""
    answer = await api.get("/api/v1/files", params={"cursor": "WzFd"})
    assert answer.status_code == 422
    assert answer.json() == {
        "type": "urn:vegafs:cursor-invalid",
        "title": "The cursor does not come from a previous page",
        "status": 422,
        "detail": "the cursor does not come from a page of this list",
        "instance": "/api/v1/files",
        "code": "cursor-invalid",
        "help": "pass `next` of the previous page unchanged, or omit the cursor to start again",
    }


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "query.limit: Input should be greater than or equal to 1"),
        ("limit=1001", "query.limit: Input should be less than or equal to 1000"),
        ("size_min=-1", "query.size_min: Input should be greater than or equal to 0"),
        ("size_min=2&size_max=1", "query: size_min is larger than size_max"),
        (f"size_max={2**63}", f"query.size_max: Input should be less than or equal to {2**63 - 1}"),
        ("prefix=%00", "query.prefix: String should match pattern '^[^\\x00]*$'"),
        ("volum=data", "query.volum: Extra inputs are not permitted"),
        (
            "missing=perhaps",
            "query.missing: Input should be a valid boolean, unable to interpret input",
        ),
    ],
)
async def test_an_invalid_filter_is_a_problem(
    api: httpx.AsyncClient, query: str, detail: str
) -> None:
    """A filter that is misspelled is not ignored."""
    answer = await api.get(f"/api/v1/files?{query}")
    where, message = detail.split(": ", 1)
    assert answer.status_code == 422
    assert answer.json() == {
        "type": "urn:vegafs:request-invalid",
        "title": "Parts of the request are missing, unknown or invalid",
        "status": 422,
        "detail": detail,
        "instance": "/api/v1/files",
        "code": "request-invalid",
        "help": "GET /openapi.json describes the request",
        "errors": [{"where": where, "message": message}],
    }


async def test_volumes_are_listed_with_their_usage(
    api: httpx.AsyncClient, catalogue: Volume, root: Path
) -> None:
    """Missing files do not count; a volume that is no longer configured says so."""
    answer = await api.get("/api/v1/volumes")
    listed = answer.json()["volumes"]
    assert listed[0].pop("last_seen_at") is not None
    assert listed == [
        {
            "name": "Other",
            "root": "/elsewhere",
            "configured": False,
            "file_count": 1,
            "size_bytes": 1,
            "scanned_at": None,
        },
        {
            "name": "data",
            "root": str(root),
            "configured": True,
            "file_count": 5,
            "size_bytes": 135,
            "last_seen_at": "2026-11-22T09:04:00Z",
            "scanned_at": "2026-11-22T09:04:00Z",
        },
    ]


async def test_sizes_may_add_up_to_more_than_a_bigint(
    api: httpx.AsyncClient, catalogue: Volume, session: AsyncSession
) -> None:
    """Sparse files are large at no cost."""
    for path in ("sparse1", "sparse2"):
        session.add(
            File(
                volume_id=catalogue.id, path=path, size_bytes=2**63 - 1, modified_at=MOMENT, mode=0
            )
        )
    await session.commit()
    listed = (await api.get("/api/v1/volumes")).json()["volumes"]
    assert [volume["size_bytes"] for volume in listed] == [1, 2**64 - 2 + 135]


async def test_a_root_that_is_not_utf8_is_listed(api: httpx.AsyncClient, root: Path) -> None:
    """Escaped, as a path of a file is."""
    volumes = asked(api).state.settings.volumes
    volumes["odd"] = Path(os.fsdecode(b"/srv/caf\xe9"))
    listed = (await api.get("/api/v1/volumes")).json()["volumes"]
    assert [volume["root"] for volume in listed] == [str(root), r"/srv/caf\xe9"]


async def test_a_configured_volume_is_listed_before_its_first_use(
    api: httpx.AsyncClient, root: Path
) -> None:
    """A client learns from it what it may scan."""
    assert (await api.get("/api/v1/volumes")).json() == {
        "volumes": [
            {
                "name": "data",
                "root": str(root),
                "configured": True,
                "file_count": 0,
                "size_bytes": 0,
                "last_seen_at": None,
                "scanned_at": None,
            }
        ]
    }
