"""`python -m app`: the command line without the `localcode` script."""

from app.cli import main

main(prog_name="localcode")
