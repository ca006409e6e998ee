"""The page at /migrations, in a Chromium: what a person sees of each state, on a desk and a phone.

Each picture is kept in the test's folder (pytest's --basetemp), for a look.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.settings import Settings
from harness.databases import Database, execute
from surefoot.run.commands import upgrade
from surefoot.startup.check import Build
from surefoot.target import Target
from tests.support.settings import engine, settings_of
from tests.support.sites import (
    IDS,
    NOWHERE,
    SCOPES,
    fail,
    make_key,
    older_build,
    revert,
    running,
    site,
)

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

playwright = pytest.importorskip(
    "playwright.async_api", reason="playwright is not installed: pip install -e '.[browser]'"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
]
SECTIONS = ["Running now", "Pending", "History", "Revisions", "Services", "Drift and integrity"]
HEAD = IDS[-1]
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
ARGUMENTS = [
    f"--{word}"
    for word in (
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    )
]
# How much brighter one of two colours is than the other (WCAG 2): at least 4.5 for text.
CONTRASTS = """
() => {
  const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const bright = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(channel);
                        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$/.test(c)) return c; } };
  return [...document.querySelectorAll("main *")].filter(e => e.innerText?.trim()).map(e => {
      const [a, b] = [getComputedStyle(e).color, ground(e)].map(bright);
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 80)]; });
}
"""
Look = Callable[..., Awaitable["Page"]]


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium with nothing kept from another time."""
    async with playwright.async_playwright() as driver:
        started = await driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        await started.close()


@pytest.fixture
async def ends() -> AsyncIterator[AsyncExitStack]:
    """The resources that end with the test."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def look(browser: Browser, ends: AsyncExitStack, tmp_path: Path) -> Look:
    """Opens the page of a service on a database, and takes a picture of it."""

    async def at(
        settings: Settings | Database, name: str, *, build: Build | None = None, **options: Any
    ) -> Page:
        if isinstance(settings, Database):
            settings = settings_of(settings.url).model_copy(update={"environment": "development"})
        where = await ends.enter_async_context(site(settings, build))
        context = await browser.new_context(**{"viewport": DESK, **options})
        ends.push_async_callback(context.close)
        page = await context.new_page()
        answer = await page.goto(f"{where.url}/migrations")
        assert answer is not None
        assert answer.status == 200, await answer.text()
        await page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        return page

    return at


async def part(page: Page, heading: str) -> str:
    """The text of a section, on one line."""
    found = page.locator("section", has=page.get_by_role("heading", name=heading))
    return " ".join((await found.inner_text()).split())


async def headline(page: Page) -> str:
    return " ".join((await page.locator(".headline").inner_text()).split())


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_it_is_readable_on_a_desk_and_a_phone_by_day_and_night(
    look: Look, database: Database, viewport: dict[str, int], colours: str
) -> None:
    """Every section in order, nothing beside the screen, and contrast enough for text."""
    page = await look(database, "at-head", viewport=viewport, color_scheme=colours)
    headings = await page.get_by_role("heading", level=2).all_inner_texts()
    assert [heading.partition(" (")[0] for heading in headings] == SECTIONS
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= viewport["width"]
    found = await page.evaluate(CONTRASTS)
    assert len(found) > 50
    assert min(found)[0] >= 4.5, min(found)
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (colours == "light")


async def test_at_head_there_is_nothing_to_do(look: Look, database: Database) -> None:
    """Who applied what is there, and both facts are in order."""
    page = await look(database, "at-head")
    assert await headline(page) == f"Ready. Database '{database.name}' is at head {HEAD}."
    assert await part(page, "Pending") == "Pending (0) None."
    assert (await part(page, "Drift")).count("OK ") == 2
    assert await page.locator("tbody tr", has_text="applied").count() == len(IDS)
    assert await page.locator("ol[aria-label] li").all_inner_texts() != []
    assert await page.locator("svg.drawing g.applied").count() == len(IDS)
    assert await page.locator("pre:visible").count() == 0


@pytest.mark.parametrize(
    "viewport",
    [{"width": 1200, "height": 800}, {"width": 375, "height": 700}],
    ids=["desk", "phone"],
)
async def test_a_revision_opens_by_keyboard_and_without_a_script(
    look: Look, database: Database, tmp_path: Path, viewport: dict[str, int]
) -> None:
    """To who ran it, its statements and locks, and its file; nothing reaches beside the screen."""
    await revert(database, IDS[-2])
    async with engine(settings_of(database.url), "migrate") as made:
        await upgrade(Target.of(made), HEAD)
    page = await look(
        database, "closed", viewport=viewport, color_scheme="dark", java_script_enabled=False
    )
    opened = page.locator("ol[aria-label] details").last
    assert await opened.locator("pre").is_hidden()
    await opened.locator("summary").focus()
    await page.keyboard.press("Enter")
    told = " ".join((await opened.inner_text()).split())
    assert f"applied {HEAD}" in told
    assert re.search(r"took (?:< )?[\d.]+ s, \d+ statements? by \S+@\S+ as ", told)
    assert await opened.locator("ol.sent > li").count() > 0
    assert "Locks at its commit: SHARE UPDATE EXCLUSIVE on files, ROW SHARE on media_types." in told
    assert f'revision = "{HEAD}"' in await opened.locator("pre").inner_text()
    boxes = [await part.bounding_box() for part in await opened.locator("*").all()]
    assert all(box["x"] + box["width"] <= viewport["width"] for box in boxes if box)
    await opened.screenshot(path=tmp_path / "opened.png")


async def test_it_needs_no_script_and_is_used_by_keyboard(look: Look, database: Database) -> None:
    """The first stop leads past the header, the command to copy is one of the next."""
    await revert(database, IDS[-3])
    page = await look(database, "no-script", java_script_enabled=False)
    stops = []
    for _ in range(3):
        await page.keyboard.press("Tab")
        stops.append(await page.locator(":focus").inner_text())
    assert stops == ["Skip to content", "alembic upgrade head", "Reload"]
    await page.keyboard.press("Enter")
    await page.wait_for_load_state()
    assert await headline(page)


async def test_the_command_is_selected_as_a_whole(look: Look, database: Database) -> None:
    """One click, and it can be copied."""
    await revert(database, IDS[-3])
    page = await look(database, "pending", viewport=PHONE)
    assert await headline(page) == (
        f"Not ready. Database '{database.name}' is at {IDS[-3]}; this build needs {HEAD} "
        f"(pending: {IDS[-2]}, {HEAD})."
    )
    command = page.locator("pre").first
    await command.click()
    assert await page.evaluate("getSelection().toString().trim()") == "alembic upgrade head"
    await page.locator("tbody").first.select_text()
    assert "0001" in await page.evaluate("getSelection().toString()")
    pending = await part(page, "Pending")
    assert "1 of 2; expand; lint: clean" in pending
    assert pending.endswith(f"To undo them after the upgrade: alembic downgrade {IDS[-3]}")
    assert await page.locator("svg.drawing g.pending").count() == 2


async def test_a_migration_that_waits_names_who_blocks_it(look: Look, database: Database) -> None:
    """Without the values of its statement; what is locked does not keep the page away."""
    async with running(database):
        page = await look(database, "running")
        now = await part(page, "Running now")
        attention = await part(page, "Needs attention")
        drift = await part(page, "Drift")
    assert f"running {SCOPES}, by backend" in now
    assert "ALTER TABLE api_keys ADD COLUMN scopes" in now
    assert "nightly report, idle in transaction, in a transaction for" in now
    assert "pg_terminate_backend" in attention
    assert "not compared while a migration is running" in drift
    assert await page.locator("svg.drawing g.running").count() == 1


async def test_a_migration_that_failed_is_told_with_its_reason(
    look: Look, database: Database
) -> None:
    """And with the command that goes on."""
    await fail(database)
    page = await look(database, "failed")
    attention = await part(page, "Needs attention")
    assert f"{SCOPES} failed: alembic/versions/{SCOPES}_" in attention
    assert 'column "scopes" of relation "api_keys" already exists' in attention
    assert attention.endswith("Run alembic upgrade head again: it continues from there.")
    assert await page.locator("svg.drawing g.failed").count() == 1


async def test_an_older_build_shows_what_it_does_not_know(look: Look, database: Database) -> None:
    """It serves, as what it does not know only expanded."""
    page = await look(database, "ahead", build=older_build())
    assert (await headline(page)).startswith("Ready, ahead.")
    assert f"{HEAD} (expand, not in this build)" in await part(page, "Revisions")


async def test_a_change_by_hand_needs_attention(look: Look, database: Database) -> None:
    """It is ready all the same."""
    await execute(database.url, "ALTER TABLE files ADD COLUMN by_hand int")
    page = await look(database, "drift", viewport=PHONE)
    assert (await headline(page)).startswith("Ready.")
    assert "database-drifted" in await part(page, "Needs attention")
    assert "failed Schema" in await part(page, "Drift")


async def test_without_the_database_the_page_says_so(look: Look) -> None:
    """Every part, and no address for strangers to read out of a key."""
    page = await look(NOWHERE.model_copy(update={"environment": "development"}), "away")
    assert (await headline(page)).startswith("No answer. Database 'gone' at 127.0.0.1:1 cannot be")
    for heading in SECTIONS:
        if heading not in ("Revisions", "Drift and integrity"):
            assert "not read: the database does not answer" in await part(page, heading)
    assert await page.locator("svg.drawing g.unknown").count() == len(IDS)


async def test_a_browser_asks_for_the_key(
    browser: Browser, ends: AsyncExitStack, database: Database
) -> None:
    """As the password, with any name; another site's script cannot read the page with it."""
    key = await make_key(database, "ops")
    where = await ends.enter_async_context(site(settings_of(database.url)))
    stranger = await browser.new_context()
    ends.push_async_callback(stranger.close)
    page = await stranger.new_page()
    # Nobody is there to answer what it asks.
    with pytest.raises(playwright.Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        await page.goto(f"{where.url}/migrations")
    known = await browser.new_context(http_credentials={"username": "me", "password": key})
    ends.push_async_callback(known.close)
    page = await known.new_page()
    answer = await page.goto(f"{where.url}/migrations")
    assert answer is not None
    assert answer.status == 200
    assert (await headline(page)).startswith("Ready.")
    await page.goto("about:blank")
    reads = "url => fetch(url, {credentials: 'include'}).then(() => 'read', () => 'refused')"
    assert await page.evaluate(reads, f"{where.url}/migrations.json") == "refused"
