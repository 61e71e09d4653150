"""`python -m investigate` is the command `investigate`."""

from investigate.cli import run

run()
