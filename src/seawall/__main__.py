"""`python -m seawall`: the same as the `seawall` command."""

import sys

from seawall.cli.main import program

sys.exit(program())
