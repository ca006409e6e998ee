"""Every option of `context.configure` is heard, composed or refused by name."""

import re
from inspect import signature

import pytest
from alembic.runtime.environment import EnvironmentContext

from harness.server import LIBRARY
from surefoot import Environment
from surefoot.environment.options import _TREATMENTS as TREATMENTS
from surefoot.environment.options import refuse, treatment
from surefoot.errors import ConfigurationInvalid

NAMED = [
    name
    for name, parameter in signature(EnvironmentContext.configure).parameters.items()
    if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
]
UNKNOWN = treatment("an_option_of_the_project")


@pytest.mark.parametrize("name", NAMED)
def test_every_parameter_of_alembic_is_decided(name: str) -> None:
    """A parameter that a newer Alembic adds fails here until it is decided."""
    assert treatment(name) is not UNKNOWN


def test_every_treatment_has_its_row() -> None:
    """docs/options.md says the same; an argument of Environment is refused among the options."""
    page = (LIBRARY / "docs/options.md").read_text("utf-8")
    told = {
        name: treated
        for names, treated in re.findall(
            r"^\| ((?:`\w+`(?:, )?)+) \| (\w+).* \|$", page, re.MULTILINE
        )
        for name in re.findall(r"`(\w+)`", names)
    }
    in_both = {"include_name", "include_object"}
    words = {
        name: "refused" if found.argument and name not in in_both else found.word
        for name, found in TREATMENTS.items()
    }
    assert told == words


def test_the_arguments_that_are_named_are_there() -> None:
    """A treatment never sends a person to an argument that Environment does not have."""
    arguments = {treatment(name).argument for name in [*NAMED, "version_table"]} - {None}
    assert arguments <= {*signature(Environment).parameters}
    assert arguments >= {"metadata", "version_table", "include_object"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "render_as_batch",
            True,
            "Environment(options={'render_as_batch': …}) cannot be used: a batch is for SQLite, "
            "and revisions are for PostgreSQL, where it changes nothing; leave it out",
        ),
        (
            "transaction_per_migration",
            False,
            "Environment(options={'transaction_per_migration': …}) cannot be used: each revision "
            "has a transaction of its own; leave it out",
        ),
        (
            "version_table",
            "versions",
            "Environment(options={'version_table': …}) cannot be used: give it as "
            "Environment(version_table=…)",
        ),
    ],
)
def test_an_option_that_cannot_be_heard_is_refused_by_name(
    name: str, value: object, message: str
) -> None:
    """The message names it, says what happens instead, and what to do."""
    with pytest.raises(ConfigurationInvalid) as refused:
        refuse({name: value})
    assert refused.value.message == message
    assert refused.value.exit_code == 2


def test_a_value_that_changes_nothing_is_accepted() -> None:
    """As a project has it that copied Alembic's template."""
    refuse({"render_as_batch": False, "literal_binds": True, "connection": None, "mine": 1})
    assert str(treatment("literal_binds", True)) == "heard: it is so in any case"
    assert treatment("literal_binds").word == "refused"
    assert treatment("mine").word == "heard"
