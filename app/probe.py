"""`python -m app.probe` asks the service of this container whether it is alive: the image's check.

It imports nothing of the service, as it runs every few seconds, and uses no proxy. Liveness only: a
container whose database is away must not be restarted.
"""

from __future__ import annotations

import http.client
import os
import sys

TIMEOUT_S = 2.0


def main() -> None:
    """Exit with 0 if the service answers on its address and port, with 1 otherwise."""
    host = os.environ.get("VEGAFS_HOST") or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    port = os.environ.get("VEGAFS_PORT") or "8000"
    try:
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.exit(f"{host} port {port} does not answer: {error}")
    if status != http.HTTPStatus.OK:
        sys.exit(f"{host} port {port} answers /livez with {status}")


if __name__ == "__main__":
    main()
