"""refuse_unfilled_sql() is what `refuse_unfilled` does, as SQL of a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.chain.revisions import Revision
from surefoot.errors.names import command
from surefoot.project import Project
from surefoot.quoting import literal

if TYPE_CHECKING:
    from surefoot.backfill.definition import Backfill

# A query of a table that is not there is not planned, as it is not executed.
_UNFILLED = """
    IF to_regclass({table_name}) IS NOT NULL THEN
        IF row_security_active(CAST({table_name} AS text)) THEN
            RAISE EXCEPTION USING MESSAGE = {hidden}, HINT = {role};
        ELSIF EXISTS (SELECT FROM {table} WHERE ({condition})) THEN
            RAISE EXCEPTION USING MESSAGE = {incomplete}, HINT = {run};
        ELSIF to_regclass({states_name}) IS NOT NULL AND EXISTS (SELECT FROM {table}) THEN
            IF EXISTS (SELECT FROM {states} WHERE name = {name} AND sha256 <> {code}) THEN
                RAISE EXCEPTION USING MESSAGE = {edited}, HINT = {cancel};
            END IF;
        END IF;
    END IF;"""


def refuse_unfilled_sql(project: Project, revision: Revision) -> str:
    """Raise where a row lacks the change of a backfill that the revision requires.

    Rows that revisions of the script insert need no run of a backfill, if they have the change.
    On failure: BackfillUnknown, BackfillInvalid, BackfillUnwritten.
    """
    if not revision.requires_backfill:
        return ""
    from surefoot.backfill.files import named  # noqa: PLC0415 - few revisions require one

    backfills = [named(project, name) for name in revision.requires_backfill]
    return "".join(_refused(project, revision.id, backfill) for backfill in backfills)


def _refused(project: Project, revision: str, backfill: Backfill) -> str:
    requires = f"{revision} requires the backfill {backfill.name}, and"
    run = f"`{command()} backfill run {backfill.name} --execute`"
    cancel = f"`{command()} backfill cancel {backfill.name} --execute`"
    then = "then SQL that begins where the database is"
    texts = {
        "hidden": f"{requires} the role does not see every row of {backfill.table}",
        "role": "a role that has BYPASSRLS, or owns the table without FORCE, runs this SQL",
        "incomplete": f"{requires} rows of {backfill.table} lack its change",
        "edited": f"{requires} it was edited after its run on the database began",
        "run": f"{run}, {then}",
        "cancel": f"{cancel} and {run}, {then}",
    }
    states = project.version_table.backfills[0]
    return _UNFILLED.format(
        table=backfill.table,
        table_name=literal(backfill.table),
        states=states,
        states_name=literal(states),
        name=literal(backfill.name),
        code=literal(backfill.sha256),
        condition=backfill.condition,
        **{name: literal(text) for name, text in texts.items()},
    )
