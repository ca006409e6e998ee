"""overview_app() below a prefix of a plain Starlette application."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount

from harness.databases import Database, engine, execute
from harness.server import SAMPLE
from surefoot import Project, Watch
from surefoot.startup.check import Build
from surefoot.web import Authorize, overview_app

PATHS = ["/migrations", "/migrations.json", "/metrics"]
BUILD = Project.read(SAMPLE / "alembic.ini").build()
LETMEIN = {"Authorization": "Bearer letmein"}


async def with_key(request: Request) -> Response | None:
    """Who has the key is let in."""
    if request.headers.get("Authorization") == LETMEIN["Authorization"]:
        return None
    return PlainTextResponse("a key, please", 401, {"WWW-Authenticate": "Bearer"})


async def broken(_: Request) -> Response | None:
    raise RuntimeError("the keys cannot be read")


@asynccontextmanager
async def mounted(
    database: Database,
    authorize: Authorize | None,
    show_details: Callable[[Request], Awaitable[bool]] | None = None,
    build: Build = BUILD,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that has the overview at /ops."""
    async with engine(database.access, "observe") as made:
        watch = Watch(made, build)
        await watch.refresh()
        app = overview_app(watch, lambda: made, authorize=authorize, show_details=show_details)
        transport = httpx.ASGITransport(
            Starlette(routes=[Mount("/ops", app)]), raise_app_exceptions=False
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://test/ops") as client:
            yield client


@pytest.mark.slow
async def test_without_an_authorizer_everybody_is_let_in(database: Database) -> None:
    """Each route answers, with links that stay below the prefix and metrics named by default."""
    async with mounted(database, None) as client:
        answers = {path: await client.get(path) for path in (*PATHS, "/readyz")}
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(
        answers, 200
    )
    page = answers["/migrations"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha")
    assert 'href="migrations"' in page.text
    assert 'href="/' not in page.text
    seen = answers["/migrations.json"].json()
    assert seen["headline"]["state"] == "current"
    assert seen["read_at"].endswith("Z")
    assert seen["counts"] == {"applied": len(BUILD.revisions)}
    assert "surefoot_schema_ready 1.0" in answers["/metrics"].text
    assert answers["/readyz"].json()["current"] == BUILD.newest


@pytest.mark.slow
async def test_a_revision_opens_to_its_file_and_its_runs(
    database: Database, tmp_path: Path
) -> None:
    """As the build has it: a file that was edited since is not shown for it."""
    folder = tmp_path / "alembic" / "versions"
    shutil.copytree(SAMPLE / "alembic" / "versions", folder)
    shutil.copy(SAMPLE / "alembic" / "revisions.lock", folder.parent)
    shutil.copy(SAMPLE / "alembic.ini", tmp_path)
    build = Project.read(tmp_path / "alembic.ini").build()
    first, second = build.revisions[:2]
    edited = folder / second.file_name
    edited.write_text(edited.read_text("utf-8") + "\nEDITED = True\n", "utf-8")
    async with mounted(database, None, build=build) as client:
        page = (await client.get("/migrations")).text
        (link, *_) = (await client.get("/migrations.json")).json()["chain"]
    assert f"\nrevision = &#34;{first.id}&#34;" in page
    assert f"\nrevision = &#34;{second.id}&#34;" not in page
    assert page.count('class="code"') == len(build.revisions) - 1
    (run,) = link["runs"]
    assert (run["what"], run["revision"]) == ("applied", first.id)
    assert run["statements"] > 0
    assert f"{run['statements']} statement" in page
    assert len(run["details"]["statements"]) == run["statements"]
    assert page.count('class="sent"') == len(build.revisions)


@pytest.mark.slow
async def test_the_authorizer_answers_strangers(database: Database) -> None:
    """Readiness tells them its state alone."""
    async with mounted(database, with_key) as client:
        for path in PATHS:
            refused = await client.get(path)
            assert (refused.status_code, refused.text) == (401, "a key, please")
            assert (await client.get(path, headers=LETMEIN)).status_code == 200
        assert (await client.get("/readyz")).json() == {"status": "ready", "code": "at-head"}
        known = await client.get("/readyz", headers=LETMEIN)
        assert known.json()["summary"] == f"database '{database.name}' is at head {BUILD.newest}"


async def test_who_sees_the_details_of_readiness_may_be_decided_apart(database: Database) -> None:
    """By a check of its own."""

    async def everybody(_: Request) -> bool:
        return True

    async with mounted(database, with_key, everybody) as client:
        assert (await client.get("/readyz")).json()["expected"] == BUILD.newest


async def test_readiness_is_answered_although_the_authorizer_fails(database: Database) -> None:
    """An orchestrator must not restart a service because its keys cannot be read."""
    async with mounted(database, broken) as client:
        assert (await client.get("/migrations")).status_code == 500
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "code": "at-head"})


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param("started_at = '0001-01-01 BC'", marks=pytest.mark.slow),
        "finished_at = '20000-01-01'",
        "actor = '[1]'",
        pytest.param("details = '[1]'", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("build", [BUILD, Build.of(BUILD.revisions[:-1])], ids=["head", "ahead"])
async def test_a_row_that_nobody_writes_is_shown_as_far_as_it_can_be(
    database: Database, edit: str, build: Build
) -> None:
    """The page says that the ledger was edited, and so do the others."""
    await execute(
        database.url,
        "SET session_replication_role = replica;"
        f"UPDATE alembic_version_ledger SET {edit} WHERE id = 1",
    )
    async with mounted(database, None, build=build) as client:
        answers = {path: await client.get(path) for path in (*PATHS, "/readyz")}
    assert {answer.status_code for answer in answers.values()} <= {200, 503}
    seen = answers["/migrations.json"].json()
    assert seen["headline"]["state"] in ("current", "ahead")
    assert "changed by hand at or before row 1" in answers["/migrations"].text
    assert len(seen["history"]["rows"]) > 1


@pytest.mark.parametrize("before", ["0", "-1", "x", "", "9" * 5000])
async def test_a_row_that_is_no_number_is_refused(database: Database, before: str) -> None:
    """With 422, as the framework answers."""
    async with mounted(database, None) as client:
        answer = await client.get("/migrations.json", params={"before": before})
    assert (answer.status_code, answer.text) == (
        422,
        "query.before: Input should be an integer of at least 1",
    )


async def test_history_is_paged(database: Database) -> None:
    """`before` names the row that a page ends before."""
    async with mounted(database, None) as client:
        answer = await client.get("/migrations.json", params={"before": "3"})
    assert [row["id"] for row in answer.json()["history"]["rows"]] == [2, 1]
