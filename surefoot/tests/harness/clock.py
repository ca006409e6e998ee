"""within() is a promised time on a machine that is busy with something else."""

import os


def within(seconds: float) -> float:
    """The time for something that takes up to `seconds` where a core is free for it.

    Where more processes want to run than there are cores, each has to wait for its turn.
    """
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
