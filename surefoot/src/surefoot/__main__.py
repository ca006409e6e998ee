"""`python -m surefoot`: the command, in the Python that has the project."""

from surefoot.cli import main

main()
