"""The changes of a schema that a watch, or a statement that failed, has told this process of."""


class Heard:
    """Counts the changes of a schema that this process has heard of, of whichever database."""

    def __init__(self) -> None:
        self.changes = 0

    def change(self) -> None:
        """Let every session drop what it keeps, at its next transaction."""
        self.changes += 1


HEARD = Heard()
