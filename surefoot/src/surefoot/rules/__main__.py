"""python -m surefoot.rules.registry > docs/rules.md"""

import sys

from surefoot.rules.page import page

sys.stdout.write(page())
