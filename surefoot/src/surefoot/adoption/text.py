"""The report of a survey, as a person reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from surefoot.adoption.candidate import Candidate
from surefoot.adoption.env_file import EnvFile
from surefoot.adoption.past import WORST, by_rule
from surefoot.adoption.standing import described
from surefoot.adoption.survey import Survey
from surefoot.adoption.template import CURE, NAME, RULE
from surefoot.chain.revisions import heads
from surefoot.errors.names import command
from surefoot.wording import counted

# So many differences of the models are shown.
SHOWN = 5
# The end of a note for who writes such an option.
_ASKS = "; leave it out"


_AFTERWARDS = """\
OK  adopted. Commit these files, and deploy as before: alembic upgrade head
  After `alembic revision` run `{command} lock`. Better, let {file} do it, and complete the files:
{lines}"""
_IN_INI = """\
    [alembic]
    revision_environment = true
    [post_write_hooks]
    hooks = finish
    finish.type = surefoot"""
_IN_TOML = """\
    [tool.alembic]
    revision_environment = true
    [[tool.alembic.post_write_hooks]]
    name = "finish"
    type = "surefoot\""""


def report(survey: Survey) -> str:
    """Project, env.py, past, models, database; then the changes."""
    return "\n".join(_lines(survey))


def _lines(survey: Survey) -> Iterator[str]:
    candidate, project = survey.candidate, survey.trial.project
    chain = candidate.revisions
    newest = ", ".join(sorted(heads(chain))) or "none"
    labels = f"; branches {', '.join(candidate.labels)}" if candidate.labels else ""
    yield f"project    {_shown(_options(candidate.project.ini))}"
    yield f"revisions  {len(chain)} in {candidate.project.named_locations()}"
    yield f"           {'heads' if ', ' in newest else 'head'} {newest}{labels}"
    yield from _env(candidate.env)
    if (failure := survey.trial.failure) is not None:
        yield f"           it cannot be run here: {getattr(failure, 'reason', failure.message)}"
    else:
        table = project.version_table
        where = f"{table.schema}.{table.name}" if table.schema else table.name
        yield f"           version table {where}, ledger {where}_ledger"
    yield from _template(candidate)
    if not candidate.is_adopted:
        yield from _past(survey)
        yield from _models(survey)
    yield from _database(survey)
    yield from _changes(survey)


def _env(env: EnvFile) -> Iterator[str]:
    if env.is_adopted:
        yield f"env.py     {_shown(env.path)} runs Surefoot's Environment"
        return
    kind = "asynchronous" if env.is_async else "synchronous"
    of = ", of Flask-Migrate" if env.is_of_flask else ""
    yield f"env.py     {_shown(env.path)}, {kind}{of}"
    yield f"           models    {env.metadata or 'none'}"
    yield f"           database  {env.database or 'not found'}"
    if env.database is not None and env.database.endswith(".url"):
        yield "                     without what the engine has beside it, such as connect_args"
    if env.schemas:
        yield f"           schemas   {', '.join(env.schemas)}: those of the models"
    if env.extensions:
        named = ", ".join(env.extensions)
        yield f"           extensions  {named}: of the database, and no revision creates them"
    for option in env.options:
        said = str(option.treatment)
        if option.treatment.word == "refused":
            said = f"refused, so it is left out: {option.treatment.note}".replace(_ASKS, "")
        elif not option.is_carried:
            said = "it is so in any case"
        yield f"           {option.name}={option.value}  {said}"
    for spread in env.spread:
        but = " but for render_as_batch" if env.is_of_flask else ""
        yield f"           **{spread}  passed on as options=…{but}"
    for each in env.replaced:
        yield f"           line {each.line}: {each.code}  {each.where}"
    for each in env.left:
        yield f"           line {each.line}: {each.code}  by hand: {each.where}"


def _template(candidate: Candidate) -> Iterator[str]:
    if candidate.template:
        path = _shown(candidate.project.folder / NAME)
        yield f"template   {path} lets each new revision break {RULE}:"
        yield from (f"           line {each.line}: {each.code}" for each in candidate.template)
        yield f"           by hand: {CURE}"


def _past(survey: Survey) -> Iterator[str]:
    found = survey.lapses
    if not found:
        yield "past       no rule that reads files finds anything in it"
        return
    files = len({each.path for each in found})
    places = f"{counted(len(found), 'place')} in {counted(files, 'file')}"
    yield f"past       {places} that a new revision may not have. The past runs as it is, and"
    yield "           no rule judges it."
    for rule, number in by_rule(found):
        yield f"           {number:4} {rule}"
    yield "           the worst:" if len(found) > WORST else "           in:"
    for each in found[:WORST]:
        yield f"           {each.place}  {each.rule}: {each.consequence}"


def _models(survey: Survey) -> Iterator[str]:
    if survey.models is None:
        yield f"models     not compared with the head: {survey.models_untried}"
    elif not survey.models:
        yield "models     the head agrees with them"
    else:
        yield f"models     the head differs from them in {counted(len(survey.models), 'object')}:"
        for each in survey.models[:SHOWN]:
            yield f"           {each.word}  {each.title}"
        if len(survey.models) > SHOWN:
            yield f"           and {len(survey.models) - SHOWN} more"
        yield "           Once adopted, `alembic revision --autogenerate` writes the difference."


def _database(survey: Survey) -> Iterator[str]:
    found = survey.standing
    if found is None:
        yield "database   not asked: no URL is known here"
    elif not found.answers:
        assert found.error is not None
        yield f"database   not asked: {found.error.message}"
    elif found.error is not None:
        yield f"database   {found.database}: {found.error.message}"
    else:
        ledger = "it has a ledger" if found.has_ledger else "no ledger yet; its role may create it"
        where = described(found, survey.candidate.revisions)
        yield f"database   {found.database}: {where}; {ledger}"


def _changes(survey: Survey) -> Iterator[str]:
    """The new files by name, the others by their difference."""
    chain = survey.candidate.revisions
    newest = ", ".join(sorted(heads(chain)))
    said = f"{counted(len(chain), 'revision')}; the baseline is {newest}" if chain else "empty"
    for each in survey.changes:
        if each.before is None:
            is_lock = each.path == survey.candidate.project.lock
            yield f"new        {_shown(each.path)}: {said if is_lock else 'steps for CI'}"
    for each in survey.changes:
        if each.before is not None:
            yield f"\n{each.diff}"


def afterwards(ini: Path) -> str:
    """The next steps of a project, which may have no ini file."""
    file = _options(ini)
    lines = _IN_INI if file == ini else _IN_TOML
    return _AFTERWARDS.format(command=command(), file=file.name, lines=lines)


def _options(ini: Path) -> Path:
    """The file that has Alembic's options."""
    return ini if ini.exists() else ini.with_name("pyproject.toml")


def _shown(path: Path) -> str:
    return os.path.relpath(path)
