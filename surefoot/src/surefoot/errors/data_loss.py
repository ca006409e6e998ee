"""A guard refused to lose data in production, or to lose it without a backup: exit code 3."""

from collections.abc import Sequence

from surefoot.errors.names import in_use, setting
from surefoot.errors.refused import Refused

_WAIVE = "waive the backup by name: {names[backup_waived=<who and why>]}"


class BackupFailed(Refused):
    """The backup command failed, so no revision ran."""

    def __init__(self, command: str, ended: int, output: str) -> None:
        self.command, self.ended, self.output = command, ended, output
        tail = "".join(f"\n| {line}" for line in output.splitlines()[-5:])
        super().__init__(
            f"the backup command exited with {ended}: {command}{tail}",
            help=f"correct {setting('backup_command')}, or {_WAIVE.format(names=in_use())}",
        )


class BackupMissing(Refused):
    """A revision would lose data in production, and there is no backup and no waiver."""

    revision: str
    says = "{revision} may lose data, and no backup command is configured"
    helps = f"set {{names[backup_command]}}, or {_WAIVE}"


class DataWouldBeLost(Refused):
    """A revision in production lost data before its commit, and no reason was given."""

    revision: str
    command: str
    losses: Sequence[str]
    says = "{revision} would lose data: {losses}; it was rolled back"
    helps = "to do it: `{command} --execute --reason …`"
