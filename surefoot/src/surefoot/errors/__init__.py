"""The errors of the library, by branch; a branch is an exit code.

    SurefootError
    |- UsageError    exit 2   the request or the configuration cannot work
    |- CheckFailed   exit 1   a check found a problem
    |- Refused       exit 3   a guard refused; nothing was changed
    |- RunFailed     exit 4   stopped part-way; the message says what was applied
    '- Temporary     exit 75  a retry is safe (Interrupted: 129, 130 or 143)

Data is in attributes and the wording is in the class, so that a caller, a log and a person read the
same fact. No message holds a password: messages name a database and its address, never a URL as it
was given. `names` has the command and the settings as the project at hand calls them.
"""

from surefoot.errors.backfill import *  # noqa: F403 - one module a branch, all imported from here
from surefoot.errors.base import *  # noqa: F403 - as above
from surefoot.errors.branches import *  # noqa: F403 - as above
from surefoot.errors.chain_tests import *  # noqa: F403 - as above
from surefoot.errors.check_failed import *  # noqa: F403 - as above
from surefoot.errors.data_loss import *  # noqa: F403 - as above
from surefoot.errors.integrity import *  # noqa: F403 - as above
from surefoot.errors.poolers import *  # noqa: F403 - as above
from surefoot.errors.refused import *  # noqa: F403 - as above
from surefoot.errors.run_failed import *  # noqa: F403 - as above
from surefoot.errors.squash import *  # noqa: F403 - as above
from surefoot.errors.temporary import *  # noqa: F403 - as above
from surefoot.errors.usage import *  # noqa: F403 - as above
