"""python -m surefoot.rules.registry > docs/rules.md"""

import sys

from surefoot.rules.reference import page

sys.stdout.write(page())
