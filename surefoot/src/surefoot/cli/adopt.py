"""`surefoot adopt`: how a project of Alembic moves in."""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from surefoot.adoption.candidate import Candidate
from surefoot.adoption.changes import changes
from surefoot.adoption.completing import completed
from surefoot.adoption.ini_file import found_ini
from surefoot.adoption.past import lapses
from surefoot.adoption.rewriting import rewritten
from surefoot.adoption.standing import standing
from surefoot.adoption.survey import Survey
from surefoot.adoption.text import afterwards, report
from surefoot.adoption.trial import Trial, climbed, tried
from surefoot.chain.revisions import heads, with_past
from surefoot.cli import output
from surefoot.cli.project import json_option, project
from surefoot.connect.database import Database
from surefoot.errors import ObjectMissing, SurefootError, names
from surefoot.run.narration import trying


@click.command(name="adopt")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Write the files that are shown.")
@json_option
def command(path: Path | None, write: bool, json_: bool) -> None:
    """Show how the Alembic project in PATH is adopted: nothing is written without --write.

    PATH is the folder in which its commands are typed, or its ini file. It is read and its env.py
    is run once with the change, so that it is known to work; no database is needed. One that
    answers is asked where it is; it is only read.

    --write replaces what runs migrations in env.py, writes revisions.lock, which takes all
    revisions that there are as the past, and steps for CI. It refuses while a statement of env.py
    has to be moved by hand.

    \b
    Examples:
      surefoot adopt
      surefoot adopt services/shop
      surefoot adopt --write

    Exit codes: 0 shown, written or nothing to do; else nothing was written: 1 the database has
    other revisions; 2 the project cannot be used; 3 a statement of env.py waits for you.
    """
    sys.dont_write_bytecode = True  # the project is only read
    survey = _tried_out(Candidate.read(_ini(path)))
    output.answer_as(json_, survey, lambda: report(survey))
    if not survey.changes:
        output.narrate("OK  nothing to do: the project is adopted")
        return
    if survey.obstacle is not None:
        raise survey.obstacle
    if not write:
        output.narrate(f"nothing was written; `{names.typed('surefoot adopt')} --write` writes it")
        return
    for each in survey.changes:
        each.write()
        output.narrate(f"written  {os.path.relpath(each.path)}")
    output.narrate(afterwards(survey.candidate.project.ini))


def _tried_out(candidate: Candidate) -> Survey:
    """The survey of a candidate, whose env.py names its schemas and extensions."""
    text = rewritten(candidate.env)
    with tried(candidate, text) as trial:
        complete = completed(candidate, trial)
        if complete is candidate:
            return _surveyed(candidate, text, trial)
    return _tried_out(complete)


def _ini(path: Path | None) -> Path:
    """The ini file; its commands are typed in the folder that a path names."""
    if path is None:
        named = click.get_current_context().find_root().obj
        path = named if isinstance(named, Path) else project().ini
        if not path.is_file() and path == Path("alembic.ini"):
            path = Path()
    found = found_ini(path).absolute()
    if path.is_dir():
        os.chdir(path)
    return found


def _surveyed(candidate: Candidate, text: str, trial: Trial) -> Survey:
    """Everything that can be known; nothing of the past where the project is adopted."""
    chain = candidate.revisions
    survey = Survey(candidate, trial, ())
    database, past = None, with_past([replace(r, unlocked=False) for r in chain], heads(chain))
    if trial.failure is None:
        try:
            database = trial.database()
        except SurefootError as error:
            survey = replace(survey, trial=replace(trial, failure=error))
    if database is not None and database.is_named:
        survey = replace(survey, standing=asyncio.run(standing(database, trial.project)))
    if candidate.is_adopted:
        return survey
    models, untried = None, "first comes what hinders the adoption"
    if survey.obstacle is None:
        try:
            listen = trying(output.narrate, [each.id for each in chain])
            past, models = asyncio.run(climbed(trial, database or Database(), listen))
            untried = "env.py names none"
        except SurefootError as error:
            said = error.message
            if isinstance(error, ObjectMissing):
                said += f". {error.beginning}"
            untried = " ".join(said.split())
    return replace(
        survey,
        changes=changes(candidate, text, past),
        lapses=lapses(chain),
        models=models,
        models_untried=untried,
    )
