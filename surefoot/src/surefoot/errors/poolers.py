"""A pooler refused, where a session of one's own or a transaction is needed: exit code 3."""

from __future__ import annotations

from surefoot.errors.refused import Refused


class PoolerRefused(Refused):
    """The connection goes through a pooler, which a migration cannot use."""

    code = "pooler"
    address: str
    reason: str
    says = (
        "{address} is a pooler ({reason}), and this needs a session of its own, which "
        "keeps its settings and its locks"
    )
    helps = (
        "set {names[migrate_database]} to the server itself; the service stays behind the pooler"
    )


class ScratchBehindPooler(Refused):
    """The scratch server is reached through a pooler, which keeps sessions to its databases."""

    address: str
    reason: str
    says = (
        "the scratch server at {address} is a pooler ({reason}), and a scratch database needs "
        "sessions of its own"
    )
    helps = "set {names[scratch]} to the server itself"


class PoolerWithoutTransactions(Refused):
    """The connection goes through a pooler in statement mode."""

    address: str
    reason: str
    says = "{address} is a pooler without transactions ({reason})"
    helps = (
        "for the service, set its pool_mode to transaction; for migrations, set "
        "{names[migrate_database]} to the server itself"
    )
