"""A body that is too large is refused before it is read."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.body_limit import MAX_BYTES

CHUNK = b" " * 65_536
LARGE = 30_000_000


@pytest.fixture
def sent() -> list[int]:
    """The sizes of the parts that the service has read."""
    return []


def parts(sent: list[int], size: int) -> AsyncIterator[bytes]:
    async def made() -> AsyncIterator[bytes]:
        while sum(sent) < size:
            sent.append(len(CHUNK))
            yield CHUNK

    return made()


REFUSED = {
    "type": "urn:vegafs:content-too-large",
    "title": "The body of the request is larger than the service reads",
    "status": 413,
    "detail": f"the body is larger than {MAX_BYTES} bytes, and was not read",
    "instance": "/api/v1/jobs",
    "code": "content-too-large",
    "help": "GET /openapi.json describes the request",
    "limit_bytes": MAX_BYTES,
}


@pytest.mark.parametrize("declared", [True, False], ids=["its length is declared", "in chunks"])
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/nowhere"])
async def test_a_body_of_30_mb_is_refused_early(
    stranger: httpx.AsyncClient, sent: list[int], path: str, declared: bool
) -> None:
    """At once by its length, or as soon as more than the limit came; and without a key too."""
    headers = {"Content-Length": str(LARGE)} if declared else {}
    answer = await stranger.post(path, content=parts(sent, LARGE), headers=headers)
    if path == "/nowhere" and not declared:
        # Nobody reads the body there.
        assert answer.status_code == 404
        assert sent == []
        return
    assert (answer.status_code, answer.json()) == (413, {**REFUSED, "instance": path})
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/problem+json"
    assert sum(sent) <= (0 if declared else MAX_BYTES + len(CHUNK))


async def test_a_body_within_the_limit_is_read(api: httpx.AsyncClient) -> None:
    """And judged by its content, whatever its length says."""
    padding = " " * (MAX_BYTES - 100)
    body = padding + '{"operation": "scan", "volume": "nope"}'
    headers = {"Content-Type": "application/json"}
    answer = await api.post("/api/v1/jobs", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "volume-unknown")
