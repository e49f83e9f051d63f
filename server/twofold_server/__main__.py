"""`python -m twofold_server` is the command `twofold-server`."""

from twofold_server.cli import main

if __name__ == "__main__":
    main()
