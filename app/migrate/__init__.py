"""Migrations: what there is, doing it, seeing it before, proving it after.

    history   the revisions on disk, and what a database says of them
    run       doing it: the body of alembic/env.py
    review    before: writing a revision
    proof     after: is the database what it should be
    testing   tests over any chain; nothing else imports it, or pytest

Nothing here knows VēgaFS: models, engine and folders are handed in.
"""
