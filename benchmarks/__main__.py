"""`python -m benchmarks NAME [--json]`: one benchmark with its peers in the same run; ratios, not absolute times."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module

NAMES = ("config", "convert", "startup", "day", "control", "placement", "engine", "kernels", "realcpu", "fluid")


def main() -> int:
    """Run the named benchmark and print its figures as a table or as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    figures: dict[str, object] = import_module(f"benchmarks.{arguments.name}").run()
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return 0
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:<{width}}  {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
