"""What the program sees in every stack of the corpus, counted: contexts, classes, actions. A change of a rule shows here what it changed.

python -m tests.truth.counts ../shared/corpus     # writes counts.tsv anew
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.oracle.corpus import cases, compose_file, converted

COUNTS = Path(__file__).with_name("counts.tsv")
Counts = dict[str, dict[str, int]]
"""stack -> what is counted (`context acl`, `class b`, `action left`) -> how often"""


def counted(folder: Path) -> Counts:
    """The counts of every case in `folder`; a case that cannot be converted has none."""
    return {case.name: dict(sorted(_of(case).items())) for case in cases(folder)}


def _of(case: Path) -> Counter[str]:
    import migrate

    file = compose_file(case)
    try:
        return Counter(_seen(converted(file))) if file is not None else Counter()
    except migrate.Unusable:
        return Counter()


def _seen(conversion: Any) -> Iterator[str]:
    """Every occurrence of an address with its context, of a name as such; every use with its class and its action, once each.

    Addresses outside the stack are counted apart: lists of thousands would hide the others.
    """
    for o in conversion.stack.occurrences:
        if o.kind == "name":
            yield "names"
        elif o.service is not None or o.network is not None or o.kind == "prefix":
            yield f"context {o.context}"
        else:
            yield "outside"
    told = set()
    for address in conversion.addresses:
        for used in address.uses:
            place = (used.use.span, used.use.service, used.use.occurrence)
            if place not in told and used.use.rule != "A13":
                told.add(place)
                yield f"class {used.use.letter}"
                yield f"action {used.action}"


def recorded() -> Counts:
    """What stands in the repository."""
    found: Counts = {}
    for line in COUNTS.read_text(encoding="utf-8").splitlines():
        stack, what, count = line.split("\t")
        found.setdefault(stack, {})[what] = int(count)
    return found


def differences(now: Counts, before: Counts) -> list[str]:
    """One line for each count that changed.

    >>> differences({"a": {"class b": 2}}, {"a": {"class b": 1, "class c": 1}})
    ['a: class b 1 -> 2', 'a: class c 1 -> 0']
    """
    lines = []
    for stack in sorted({*now, *before}):
        new, old = now.get(stack, {}), before.get(stack, {})
        lines += [f"{stack}: {w} {old.get(w, 0)} -> {new.get(w, 0)}" for w in sorted({*new, *old}) if new.get(w, 0) != old.get(w, 0)]
    return lines


def main(arguments: list[str]) -> int:
    """Write the counts of the folder anew, and print what changed."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m tests.truth.counts FOLDER", file=sys.stderr)
        return 2
    now = counted(Path(arguments[0]))
    for line in differences(now, recorded() if COUNTS.is_file() else {}):
        print(line)
    COUNTS.write_text("".join(f"{s}\t{w}\t{n}\n" for s, whats in now.items() for w, n in whats.items()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
