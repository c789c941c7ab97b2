"""`python -m licet` is the command `licet`."""

import sys

from licet.cli import main

sys.exit(main())
