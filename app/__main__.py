"""`python -m app` is the command line."""

import sys

from tranche.command_line import main

if __name__ == "__main__":
    sys.exit(main())
