"""`python -m migrate`."""

import sys


def run() -> int:
    """The command; an interruption while it is still being loaded ends like one of its work."""
    try:
        from migrate.cli import main

        return main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
