"""How the shop reaches its database."""

import os

from surefoot import Database


def migration_database() -> Database:
    """The database that SHOP_DATABASE names."""
    return Database(
        os.environ["SHOP_DATABASE"], name="shop", scratch_url=os.environ.get("SHOP_SCRATCH")
    )
