"""Renew the reference of the rules: `python -m surefoot.rules docs/rules.md`."""

import sys
from pathlib import Path

from surefoot.rules.reference import reference

page = Path(sys.argv[1])
page.write_text(reference(page.read_text("utf-8")), "utf-8")
