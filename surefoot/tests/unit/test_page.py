"""The page as HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from surefoot.chain.revisions import Revision
from surefoot.ledger.agreement import Agreement
from surefoot.ledger.glance import Glance
from surefoot.ledger.table import Row
from surefoot.overview import Overview, Unread, overview
from surefoot.overview.model import Reading, ShownBackfill
from surefoot.startup.check import Build, decide
from surefoot.web.page import DRAWN, draw, render

NOW = datetime(2026, 11, 22, 9, 4, tzinfo=timezone.utc)
HOSTILE = "<script>alert(1)</script>\"'`<b>`"


def seen_of(count: int, applied: int, **row: object) -> Overview:
    chain = [
        Revision(f"{n:04}", (f"{n - 1:04}",) if n > 1 else (), "expand", f"change_{n}", f"{n}")
        for n in range(1, count + 1)
    ]
    rows = {
        each.id: Row(each.id, "upgrade", "expand", "applied", each.sha256, id=n, finished_at=NOW)
        for n, each in enumerate(chain[:applied], start=1)
    }
    build = Build.of(chain)
    verdict = decide("d", build, Glance(frozenset(list(rows)[-1:]), rows))
    ledger = tuple(replace(each, **row) for each in rows.values())  # type: ignore[arg-type]
    return overview(build, Reading(verdict, ledger, None, None, (), Agreement("", "f", "f")), NOW)


def test_what_a_database_says_is_text() -> None:
    """Whoever can write an error or a name cannot write the page."""
    told = {"error": HOSTILE, "reason": HOSTILE, "build": HOSTILE, "actor": {"host": HOSTILE}}
    seen = seen_of(2, 1, **told)
    seen = replace(seen, database=HOSTILE, headline=replace(seen.headline, command=HOSTILE))
    html = render(seen)
    assert "<script" not in html
    assert "<b>" not in html
    assert html.count("&lt;script&gt;") >= 6


@pytest.mark.slow
def test_a_long_chain_shows_what_is_recent_and_folds_the_rest() -> None:
    """Pending revisions are always shown, with a few that come before."""
    html = render(seen_of(3000, 2990))
    assert f"<summary>{3000 - DRAWN:,} earlier revisions</summary>" in html
    assert html.count("<g class=") == DRAWN
    assert "<summary>7 earlier revisions</summary>" in render(seen_of(100, 10))
    assert "earlier revisions" not in render(seen_of(DRAWN, DRAWN))


def test_each_revision_opens_to_its_runs_and_its_file() -> None:
    """Also an earlier one; what nobody has run says so, and a password is not shown."""
    count = DRAWN + 10
    seen = seen_of(count, count - 1, duration_s=1.5, statements=2, actor={"os_user": "ci"})
    texts = {f"{count:04}": HOSTILE, "0030": "# PASSWORD 'abcdefgh'"}
    html = render(seen, texts, command="shop")
    assert html.count("<details>") == count + 1
    assert html.count("took 1.5 s, 2 statements") == count - 1
    assert html.count("by ci@? as ?") == count - 1
    assert html.count("The ledger has no row of it.") == 1
    assert html.count('class="code"') == 2
    assert "<script" not in html
    assert "abcdefgh" not in html
    assert "<code>shop schema --diff REVISION</code>" in html
    assert "and its file" not in render(seen)
    unread = replace(seen, history=Unread("it is locked"), chain=seen.chain[-1:])
    assert "The ledger was not read." in render(unread)


def test_a_run_has_its_statements_and_locks() -> None:
    """As the ledger has them: what is there in another form is left out."""
    details = {
        "sent": [{"sql": f"SELECT {HOSTILE}", "duration_s": 1.5}],
        "more_s": 0.25,
        "locks": [
            {"mode": "ACCESS EXCLUSIVE", "table": HOSTILE},
            {"mode": "ACCESS EXCLUSIVE", "table": None},
        ],
        "more_locks": 3,
    }
    html = render(seen_of(2, 1, statements=3, details=details))
    assert "<script" not in html
    words = " ".join(re.sub(r"<[^>]+>", "", html).split())
    assert "SELECT &lt;script&gt;" in words
    assert "1.5 s 2 more statements, 0.2 s Locks at its commit: ACCESS EXCLUSIVE on &lt;" in words
    assert "ACCESS EXCLUSIVE on what it dropped, and on 3 more tables." in words
    free = render(seen_of(2, 1, statements=1, details={"sent": details["sent"], "locks": []}))
    assert "It locked no table that was there before it." in free
    unknown = render(seen_of(2, 1, statements=1, details={"sent": details["sent"]}))
    assert 'class="sent"' in unknown
    assert "Locks at its commit" not in unknown
    assert "It locked" not in unknown
    other: object
    for other in ({"sent": 7}, {"locks": []}, {"sent": [{}]}, [1], "text"):
        assert 'class="sent"' not in render(seen_of(2, 1, details=other))


@pytest.mark.parametrize(("applied", "state"), [(1, "paused"), (1, "complete"), (2, "paused")])
def test_what_is_pending_may_wait_for_a_backfill(applied: int, state: str) -> None:
    """The page does not offer the upgrade alone where one is not complete."""
    figures = (1, 0, 0, 1, 2, None, None, None, 0, NOW, None, 0.5)
    backfill = ShownBackfill("b", "t", state, *figures, command="run b")
    html = render(replace(seen_of(2, applied), backfills=(backfill,)))
    assert ("A backfill is not complete" in html) == (applied == 1 and state == "paused")


def test_headings_are_in_order_and_every_reference_leads_somewhere() -> None:
    """A page that is read aloud."""
    html = render(seen_of(3, 2))
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', html)) <= set(ids)
    assert '<html lang="en">' in html
    assert re.search(r"<title>[^<]+</title>", html)


def test_a_drawing_has_a_way_between_neighbours() -> None:
    """From the end of a row to the beginning of the next one too."""
    drawing = draw(seen_of(8, 8).chain)
    assert len(drawing.nodes) == 8
    assert len(drawing.lines) == 7
    for a, b, line in zip(drawing.nodes, drawing.nodes[1:], drawing.lines, strict=False):
        assert line.startswith(f"M{a.x} {a.y}")
        assert line.endswith(f"H{b.x}")
    assert draw(()).nodes == ()
