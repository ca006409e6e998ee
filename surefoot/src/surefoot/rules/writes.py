"""Rules on writes of the running release that are refused, or that subscribers do not receive."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.rules.difference import Difference, at, losing
from surefoot.rules.findings import Hit, Rule, TracedRevision


def _refusals(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Triggers, rules, views and columns that refuse or divert what the running release writes."""
    for its in left:
        if its.noun == "trigger" and its.gained("refuses") and its.now and its.now["enabled"]:
            yield at(its, what="raises an error, or drops the row, for some of the writes")
        elif its.noun == "rule" and its.gained("instead"):
            yield at(its, what="runs instead of the writes")
        elif its.noun == "rule" and its.gained("conflicts"):
            yield at(its, what="makes PostgreSQL refuse each INSERT … ON CONFLICT")
        elif its.noun == "column" and its.former and its.gained("plain"):
            yield at(its, what="has to fit into a page, and refuses longer values")
        elif its.noun == "view" and its.former and its.now:
            if its.former["accepts"] & ~its.now["accepts"]:
                yield at(its, what="is not updatable any more, and refuses the writes")
            elif its.gained("checked"):
                yield at(its, what="refuses rows that it does not show")
        elif its.noun == "event trigger" and its.gained("enabled"):
            of_login = its.now is not None and its.now["when"][0] == "login"
            what = "each login" if of_login else "schema changes and temporary tables"
            yield at(its, what=f"runs for, and may refuse, {what}")


def _replication(unit: TracedRevision, left: list[Difference]) -> Iterator[Hit]:
    """Changes that subscribers do not receive any more, or that fail on the publisher."""
    for its in left:
        if its.noun == "table" and its.former and its.now:
            if its.now["replica"] not in (its.former["replica"], "f"):
                yield at(its, what="has another replica identity")
            continue
        if its.noun != "publication":
            continue
        old = its.former or {"refusing": ()}
        if its.now and (refusing := sorted({*its.now["refusing"]} - {*old["refusing"]})):
            yield at(its, what=f"makes PostgreSQL refuse UPDATE or DELETE of {', '.join(refusing)}")
        if its.former:
            if its.now is None:
                yield at(its, what="is dropped")
            elif gone := [
                t for t in its.former["tables"] or () if t not in (its.now["tables"] or ())
            ]:
                yield at(its, what=f"has no table {', '.join(gone)}")
            elif limited := set(its.now["limited"]) - set(its.former["limited"]):
                yield at(its, what=f"leaves out rows or columns of {', '.join(sorted(limited))}")
            elif its.changed("root"):
                yield at(its, what="names other tables as those of the rows of partitions")
            elif set(its.former["schemas"]) - set(its.now["schemas"]):
                yield at(its, what="has fewer schemas")
            elif set(its.former["published"]) - set(its.now["published"]):
                yield at(its, what="publishes fewer kinds of changes")


RULES = (
    Rule(
        id="avoid-refusing-writes",
        title="A trigger, rule, view or column that refuses rows, or a trigger on schema changes",
        consequence="{noun} {name} {what} of the running release",
        help="deploy a release that no longer writes such rows, then create it in a contract "
        "revision",
        rewrite='phase = "contract"',
        page="sql-createtrigger",
        detect=losing(_refusals),
    ),
    Rule(
        id="avoid-changing-replication",
        title="A publication dropped, reduced or of a table without a key, or another replica "
        "identity",
        consequence="the {noun} {name} {what}; subscribers miss changes, or UPDATE and DELETE fail",
        help="change the subscribers first, then this in a contract revision",
        rewrite='phase = "contract"',
        page="logical-replication-publication",
        detect=losing(_replication),
    ),
)
