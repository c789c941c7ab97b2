"""`python -m licet.cli`, for where the `licet` script is not on the path."""

import sys

from licet.cli.main import main

sys.exit(main())
