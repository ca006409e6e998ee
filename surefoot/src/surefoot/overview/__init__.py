"""The overview: the state of a database and its migrations at one moment.

    connection -> read -> Reading -> overview -> Overview -> page, JSON
                  I/O                 pure

The parts are read independently: a part that cannot be read carries the reason, and the others are
still shown. Reading changes nothing: the session is read-only, waits for a lock for at most 200 ms
and takes at most READ_S.
"""

from surefoot.overview.files import texts
from surefoot.overview.model import Overview, Unread
from surefoot.overview.reading import read
from surefoot.overview.view import overview

__all__ = ["Overview", "Unread", "overview", "read", "texts"]
