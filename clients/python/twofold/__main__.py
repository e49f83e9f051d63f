"""`python -m twofold`: the command line."""

import sys

from twofold.command_line import main

if __name__ == "__main__":
    sys.exit(main())
