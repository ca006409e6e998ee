"""A service's view of its schema: the check at its start, and the watch while it runs."""

from surefoot.startup.check import TIMEOUT_S, Build, Verdict
from surefoot.startup.watch import Watch
from surefoot.telemetry import startup_check

__all__ = ["TIMEOUT_S", "Build", "Verdict", "Watch", "startup_check"]
