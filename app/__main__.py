"""`python -m app`: the command `vegafs`, in the Python that has the project."""

from app.cli import main

main()
