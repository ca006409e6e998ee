"""Alembic's environment: VēgaFS's models and database, run by Surefoot."""

from surefoot import Environment

Environment(
    metadata="app.db.models:metadata",
    database="app.db.engine:migration_database",
    targets="app.db.engine:targets",
    manages=("views", "functions", "triggers"),
).run()
