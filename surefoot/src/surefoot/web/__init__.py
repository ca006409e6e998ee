"""The state of migrations as an ASGI application: a page, its JSON, metrics and readiness.

    from surefoot.web import overview_app

    watch = Watch(database.engine("watch"), Project.read("alembic.ini").build())
    overview = overview_app(watch, database.engine("observe"), authorize=None)
    Starlette(routes=[Mount("/ops", overview)], lifespan=watching)

The service's lifespan awaits `watch.refresh()` and holds `watch.on()` open. Needs the extra `web`.
"""

from surefoot.overview import Overview
from surefoot.web.app import Authorize, overview_app
from surefoot.web.readiness import Readiness

__all__ = ["Authorize", "Overview", "Readiness", "overview_app"]
