"""`python -m seawall`: the same as the `seawall` command."""

import sys

from seawall.cli.main import main

sys.exit(main())
