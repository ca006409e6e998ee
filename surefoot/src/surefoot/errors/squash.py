"""A squash does not stand for its revisions: exit code 3."""

from surefoot.errors.refused import Refused


class SquashEdited(Refused):
    """The file of a squash is not as `surefoot squash` has written it."""

    name: str
    reason: str
    says = "{name} {reason}: nothing proves that it gives what the revisions give"
    helps = (
        "restore it from version control, or delete it: then an empty database runs the revisions"
    )


class SquashStale(Refused):
    """The revisions that a squash stands for have changed."""

    name: str
    revision: str
    reason: str
    again: str
    says = "{name} stands for the revisions up to {revision}, and {reason}"
    helps = "`{names.command} squash {again}` writes it {source}"

    @property
    def source(self) -> str:
        """The source of the new file, and the effect of having none."""
        if "--from-database" in self.again:
            return "from the database again; without the file an empty database cannot be upgraded"
        return "from them; without the file an empty database runs the revisions"


class BeforeSquash(Refused):
    """An upgrade would run revisions on an empty database that a squash from a database has."""

    name: str
    begun: str
    revision: str
    says = (
        "an empty database begins with {name}, the schema of a database at {begun}, and "
        "{revision} does not run on one"
    )
    helps = (
        "name a head, or {begun} or a revision behind it by its whole id; for a database that is "
        "before it `{names.command} plan --from-database`; `{names.command} lock --baseline "
        "{begun}` takes the revisions up to it as they are"
    )


class NotSquashed(Refused):
    """The revisions cannot be squashed: their dump would not give what they give."""

    revision: str
    reason: str
    says = "the revisions up to {revision} cannot be squashed: {reason}"
    helps = "nothing was written; an empty database runs the revisions, as before"
