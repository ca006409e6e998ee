"""docs/prometheus.rules.yml: rules that Prometheus can read, about figures that a service has."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from harness.databases import Database
from harness.processes import eventually
from tests.support.project import ROOT, run
from tests.support.service import served

RULES = ROOT / "docs" / "prometheus.rules.yml"
# A metric with its labels, the words of a query and its functions apart.
BEGUN = "vegafs_backfill_state{"
SELECTOR = re.compile(r"\b(vegafs_\w+)(?:\{(\w+)=\"([\w-]+)\"\})?")


def rules() -> list[dict[str, Any]]:
    """Every rule of the file."""
    document = yaml.safe_load(RULES.read_text("utf-8"))
    assert list(document) == ["groups"]
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_every_rule_is_complete() -> None:
    """A name of its own, a condition, a length of time, a severity, and what to do."""
    found = rules()
    names = [rule["alert"] for rule in found]
    assert len(set(names)) == len(names)
    for rule in found:
        assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}, rule["alert"]
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "action"}
        assert re.search(r"[<>=]=? \d+$", rule["expr"]), rule["expr"]
        assert SELECTOR.search(rule["expr"]), rule["expr"]


@pytest.mark.slow
def test_a_service_has_every_figure(database: Database) -> None:
    """With the value of the label that a rule asks for; also of a backfill, which has begun."""
    began = run(
        *("vegafs", "backfill", "run", "files_media_type", "--execute"), DATABASE_URL=database.url
    )
    assert began.code == 0, began.err
    with served(DATABASE_URL=database.url) as service:
        url = service.wait_until_it_serves()
        assert eventually(lambda: BEGUN in httpx.get(f"{url}/metrics").text)
        text = httpx.get(f"{url}/metrics").text
        assert service.stop() == 0
    samples = {
        (sample.name, *label)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for label in [("", ""), *sample.labels.items()]
    }
    asked = {match.groups("") for rule in rules() for match in SELECTOR.finditer(rule["expr"])}
    assert asked - samples == set()
