"""The state of migrations as an ASGI application: a page, its JSON, metrics and readiness.

    from surefoot.web import overview_app

    Starlette(routes=[Mount("/ops", overview_app(watch, engine, authorize=None))])

Needs the extra `web`.
"""

from surefoot.web.app import Authorize, overview_app
from surefoot.web.readiness import Readiness

__all__ = ["Authorize", "Readiness", "overview_app"]
