"""python -m app.migrate.review.rules > docs/rules.md"""

import sys

from app.migrate.review.rules.page import page

sys.stdout.write(page())
