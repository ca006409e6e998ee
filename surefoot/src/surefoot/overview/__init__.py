"""An overview is what a person wants to know of a database and its migrations, at one moment.

    connection -> read -> Reading -> overview -> Overview -> a page, JSON
                  I/O                 pure

Each part is read by itself: one that cannot be had says why, and the others are there. It only
looks: the session is read-only, waits for no lock for long, and takes no more than READ_S.
"""

from surefoot.overview.model import Overview, Unread
from surefoot.overview.reading import read
from surefoot.overview.view import overview

__all__ = ["Overview", "Unread", "overview", "read"]
