"""Print the reference of the rules: `python -m surefoot.rules > docs/rules.md`."""

import sys

from surefoot.rules.reference import reference

sys.stdout.write(reference())
