"""Run recorded cases against this checkout: prints the failing ones with one line of reason, then the counts; exit 1 if any failed.

Every kind of case is a module of this package with `run(paths) -> Iterable[tuple[case, reason or None]]`; what it returns may have
`remarks`, lines that are printed before the counts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

KINDS = ("compose", "hpa", "deployment", "traces", "traffic", "corpus")


def main(arguments: Sequence[str]) -> int:
    """0 all passed, 1 some failed, 2 a wrong command line."""
    if len(arguments) < 2 or arguments[0] not in KINDS or find_spec(f"tests.oracle.{arguments[0]}") is None:
        known = [kind for kind in KINDS if find_spec(f"tests.oracle.{kind}") is not None]
        print(f"usage: python -m tests.oracle {'|'.join(known)} PATH...", file=sys.stderr)
        return 2
    paths = [Path(argument) for argument in arguments[1:]]
    absent = [path for path in paths if not path.exists()]
    if absent:
        print(f"no such file or directory: {', '.join(map(str, absent))}", file=sys.stderr)
        return 2
    passed = failed = 0
    results = import_module(f"tests.oracle.{arguments[0]}").run(paths)
    for case, reason in results:
        if reason is None:
            passed += 1
        else:
            failed += 1
            print(f"{case}: {' '.join(reason.split())}")
    for remark in getattr(results, "remarks", ()):
        print(remark)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
