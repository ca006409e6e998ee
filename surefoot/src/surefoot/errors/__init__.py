"""Every error of the library, by branch; a branch is an exit code.

    SurefootError
    |- UsageError    exit 2   the request or the configuration cannot work
    |- CheckFailed   exit 1   a check said no
    |- Refused       exit 3   a guard said no; nothing was changed
    |- RunFailed     exit 4   stopped part-way; says what was applied
    '- Temporary     exit 75  a retry is safe (Interrupted: 130 or 143)

Data is in attributes and wording is in the class, so that a caller, a log and a person read the
same fact. No message ever holds a password: messages name a database and its address, never a URL
as it was given.
"""

from surefoot.errors.base import *  # noqa: F403 - one module a branch, all imported from here
from surefoot.errors.chain_tests import *  # noqa: F403 - as above
from surefoot.errors.check_failed import *  # noqa: F403 - as above
from surefoot.errors.integrity import *  # noqa: F403 - as above
from surefoot.errors.refused import *  # noqa: F403 - as above
from surefoot.errors.run_failed import *  # noqa: F403 - as above
from surefoot.errors.temporary import *  # noqa: F403 - as above
from surefoot.errors.usage import *  # noqa: F403 - as above
