"""/jobs: queueing, listing, showing, cancelling."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Job, JobResult, JobStatus
from harness.databases import Database
from tests.support.service import asked, serving, with_volumes
from tests.support.settings import settings_of

JOBS = "/api/v1/jobs"


async def queue(api: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await api.post(JOBS, json={"operation": "scan", "volume": "data", **body})


async def queued(api: httpx.AsyncClient, **body: Any) -> int:
    answer = await queue(api, **body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def end(session: AsyncSession, job_id: int, status: JobStatus) -> None:
    await session.execute(update(Job).where(Job.id == job_id).values(status=status))
    await session.commit()


async def test_a_job_is_queued_and_can_be_followed(api: httpx.AsyncClient) -> None:
    """201 with the job, and Location leads to it."""
    answer = await queue(api)
    body = answer.json()
    job_id = body["id"]
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{JOBS}/{job_id}"
    assert body["created_at"] == body["updated_at"]
    assert body == {
        "id": job_id,
        "operation": "scan",
        "volume": "data",
        "path": "",
        "parameters": {"cross_mounts": False},
        "status": "PENDING",
        "progress": {"done": 0, "total": None},
        "attempts": 0,
        "error": None,
        "created_at": body["created_at"],
        "updated_at": body["created_at"],
        "started_at": None,
        "finished_at": None,
        "duration_s": None,
        "result": None,
    }
    assert (await api.get(answer.headers["location"])).json() == body


async def test_a_folder_is_named_absolutely_or_below_a_volume(
    api: httpx.AsyncClient, root: Path
) -> None:
    """Both ways lead to the same work, so the second is refused."""
    (root / "a/b").mkdir(parents=True)
    job_id = await queued(api, path="a/b")
    answer = await api.post(JOBS, json={"operation": "scan", "path": f"{root}/a/b"})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:vegafs:job-active",
        "title": "The same work is already queued or running",
        "status": 409,
        "detail": f"job {job_id} is active with the same work: scan of 'a/b' in volume 'data'",
        "instance": JOBS,
        "code": "job-active",
        "help": f"follow it with GET /api/v1/jobs/{job_id}, or cancel it first",
        "job_id": job_id,
        "operation": "scan",
        "volume": "data",
        "path": "a/b",
    }


@pytest.mark.slow
async def test_of_many_requests_for_the_same_work_one_is_queued(
    database: Database, root: Path
) -> None:
    """Also when they come at the same moment."""
    settings = with_volumes(settings_of(database.url), volumes={"data": root}, worker=False)
    async with serving(settings) as client:
        answers = await asyncio.gather(*(queue(client) for _ in range(10)))
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201, *[409] * 9], [answer.text for answer in answers]
        assert len((await client.get(JOBS)).json()["jobs"]) == 1


async def test_other_work_is_not_in_the_way(api: httpx.AsyncClient, root: Path) -> None:
    """Another operation, another folder, or the same after its end."""
    (root / "a").mkdir()
    first = await queued(api)
    await queued(api, path="a")
    await queued(api, operation="summarize", parameters={"largest": 3})
    await api.post(f"{JOBS}/{first}/cancel")
    assert await queued(api) > first


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        ({"path": ".."}, "path-outside-volumes", "'..' is not below a volume; configured: {data}"),
        (
            {"volume": None, "path": "/etc"},
            "path-outside-volumes",
            "'/etc' is not below a volume; configured: {data}",
        ),
        (
            {"path": "nope"},
            "path-not-a-folder",
            "'nope' is not a folder that the service can read: No such file or directory",
        ),
        ({"volume": "nope"}, "volume-unknown", "there is no volume 'nope'; configured: data"),
        (
            {"volume": None},
            "request-invalid",
            "body.scan: name a `volume`, or an absolute `path`",
        ),
        (
            {"path": "a\x00b"},
            "request-invalid",
            "body.scan.path: String should match pattern '^[^\\x00]*$'",
        ),
        (
            {"path": "\ud800"},
            "request-invalid",
            "body.scan.path: Input should be a valid string, unable to parse raw data as a "
            "unicode string",
        ),
        (
            {"operation": "erase"},
            "request-invalid",
            "body: Input tag 'erase' found using 'operation' does not match any of the expected "
            "tags: 'scan', 'summarize'",
        ),
        (
            {"paht": "a"},
            "request-invalid",
            "body.scan.paht: Extra inputs are not permitted",
        ),
        (
            {"parameters": {"largest": 1}},
            "request-invalid",
            "body.scan.parameters.largest: Extra inputs are not permitted",
        ),
    ],
)
async def test_work_that_cannot_be_done_is_refused(
    api: httpx.AsyncClient, root: Path, body: dict[str, Any], code: str, detail: str
) -> None:
    """Before it is queued, with what is wrong."""
    content = json.dumps({"operation": "scan", "volume": "data", **body})
    answer = await api.post(JOBS, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    found = answer.json()
    assert (found["code"], found["detail"]) == (code, detail.format(data=f"data={root}"))
    assert found["type"] == f"urn:vegafs:{code}"
    assert (await api.get(JOBS)).json() == {"jobs": [], "next": None}


async def test_what_is_not_json_is_a_problem(api: httpx.AsyncClient) -> None:
    """And says where it stops being JSON."""
    answer = await api.post(JOBS, content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "body.1: JSON decode error"


async def test_what_cannot_be_read_at_all_has_an_answer_that_is_declared(
    api: httpx.AsyncClient,
) -> None:
    """Bytes that are no text, and nesting without an end."""
    for content in (b'"\xff"', b"[" * 200_000):
        answer = await api.post(JOBS, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    declared = (await api.get("/openapi.json")).json()["paths"][JOBS]["post"]["responses"]
    assert "400" in declared


@pytest.mark.slow
async def test_jobs_are_listed_newest_first_and_filtered(
    api: httpx.AsyncClient, session: AsyncSession, root: Path
) -> None:
    """By state, operation and volume; without their results."""
    (root / "a").mkdir()
    first = await queued(api)
    second = await queued(api, operation="summarize")
    third = await queued(api, path="a")
    await end(session, first, JobStatus.FAILED)

    async def ids(**filters: Any) -> list[int]:
        answer = await api.get(JOBS, params=filters)
        assert answer.status_code == 200, answer.text
        assert all("result" not in job for job in answer.json()["jobs"])
        return [job["id"] for job in answer.json()["jobs"]]

    assert await ids() == [third, second, first]
    assert await ids(status="PENDING") == [third, second]
    assert await ids(status="FAILED") == [first]
    assert await ids(operation="scan") == [third, first]
    assert await ids(operation="scan", status="PENDING") == [third]
    assert await ids(volume="DATA") == [third, second, first]
    assert await ids(volume="nope") == []


async def test_pages_of_jobs_hold_while_jobs_are_added(api: httpx.AsyncClient, root: Path) -> None:
    """Earlier jobs are listed once; new ones are newer than the first page."""
    for name in "abcde":
        (root / name).mkdir()
    old = [await queued(api, path=name) for name in "abcd"]
    page = (await api.get(JOBS, params={"limit": 2})).json()
    await queued(api, path="e")
    rest = (await api.get(JOBS, params={"limit": 2, "cursor": page["next"]})).json()
    assert [job["id"] for job in page["jobs"] + rest["jobs"]] == old[::-1]
    assert rest["next"] is None


@pytest.mark.parametrize(("method", "path"), [("GET", "{id}"), ("POST", "{id}/cancel")])
async def test_a_job_that_is_not_there_is_a_problem(
    api: httpx.AsyncClient, method: str, path: str
) -> None:
    """404, for showing and cancelling."""
    path = f"{JOBS}/{path.format(id=4711)}"
    answer = await api.request(method, path)
    assert answer.status_code == 404
    assert answer.json() == {
        "type": "urn:vegafs:job-not-found",
        "title": "There is no job with that id",
        "status": 404,
        "detail": "there is no job 4711",
        "instance": path,
        "code": "job-not-found",
        "help": "GET /api/v1/jobs lists the jobs",
        "job_id": 4711,
    }


@pytest.mark.parametrize("job_id", ["0", "x", str(2**63)])
async def test_a_number_that_no_job_can_have_is_a_problem(
    api: httpx.AsyncClient, job_id: str
) -> None:
    """It does not reach the database."""
    answer = await api.get(f"{JOBS}/{job_id}")
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.RUNNING])
async def test_a_job_that_has_not_ended_can_be_cancelled(
    api: httpx.AsyncClient, session: AsyncSession, status: JobStatus
) -> None:
    """It keeps no worker."""
    job_id = await queued(api)
    await end(session, job_id, status)
    answer = await api.post(f"{JOBS}/{job_id}/cancel")
    assert answer.status_code == 200
    assert answer.json()["status"] == "CANCELLED"
    assert answer.json()["finished_at"] is not None


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
async def test_a_job_that_has_ended_cannot_be_cancelled(
    api: httpx.AsyncClient, session: AsyncSession, status: JobStatus
) -> None:
    """409, with how it ended."""
    job_id = await queued(api)
    await end(session, job_id, status)
    answer = await api.post(f"{JOBS}/{job_id}/cancel")
    assert answer.status_code == 409
    assert answer.json() == {
        "type": "urn:vegafs:job-final",
        "title": "The job has ended and cannot be changed",
        "status": 409,
        "detail": f"job {job_id} is {status.value} and cannot be cancelled",
        "instance": f"{JOBS}/{job_id}/cancel",
        "code": "job-final",
        "help": "only a job that is PENDING or RUNNING can be cancelled",
        "job_id": job_id,
        "job_status": status.value,
    }


async def test_a_completed_job_shows_what_it_found(
    api: httpx.AsyncClient, session: AsyncSession
) -> None:
    """The result is the summary as it was stored."""
    job_id = await queued(api)
    session.add(JobResult(job_id=job_id, summary={"files": 3}))
    await end(session, job_id, JobStatus.COMPLETED)
    assert (await api.get(f"{JOBS}/{job_id}")).json()["result"] == {"files": 3}


def moved_aside(root: Path) -> Path:
    return root.rename(root.with_name("moved"))


async def test_a_volume_follows_its_configured_root(
    api: httpx.AsyncClient, session: AsyncSession, root: Path
) -> None:
    """The row is made at first use and keeps up with the settings."""
    await queued(api)
    moved = moved_aside(root)
    service = asked(api)
    service.state.settings = service.state.settings.model_copy(update={"volumes": {"DATA": moved}})
    await queued(api, operation="summarize")
    assert [
        (volume["name"], volume["root"], volume["configured"])
        for volume in (await api.get("/api/v1/volumes")).json()["volumes"]
    ] == [("data", str(moved), True)]
