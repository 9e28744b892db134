"""What `migrate addresses` shows: every fixed address with its uses, a line for each place, as an engineer reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from migrate.report.content import OUTCOMES

CLASSES: Final[Mapping[str, str]] = {
    "b": "host", "c": "in a URL", "d": "one of a list", "e": "in a file", "f": "resolver", "g": "access rule", "h": "hosts entry",
    "i": "published port", "j": "itself", "l": "health check", "m": "route or filter", "n": "in the image", "o": "outside",
    "p": "Docker host", "q": "DNS record", "r": "certificate", "s": "virtual address", "t": "put together", "u": "peer identity",
    "w": "nobody's",
}  # fmt: skip
"""The classes of a use in words; the letters are those of the report (`a`, `k` and `v` describe owners and are never a use's)."""
HEADS: Final = ("address", "of", "outcome", "used at", "class", "in", "becomes")
_MOST_SERVICES = 3
_MOST_OUTSIDE = 12
_START = (("@@POD_IP@@", "the pod's address, at start"), ("@@HOST_IP@@", "the node's address, at start"))


def rows(addresses: Sequence[Mapping[str, Any]], *, everything: bool) -> Iterator[tuple[str, ...]]:
    """The table's rows: uses of one place and fate by several services are one row; what lies outside the stack only with `everything`."""
    several = len({entry["network"] for entry in addresses if entry["service"]}) > 1
    for entry in addresses:
        if not everything and _outside(entry):
            continue
        owner = (entry["service"] or "(nobody)") + (f" on {entry['network']}" if several and entry["network"] else "")
        outcome = "dropped" if entry["outcome"] == "dropped" and entry["uses"] else OUTCOMES[entry["outcome"]]
        heading: tuple[str, ...] = (entry["address"], owner, outcome)
        if not entry["uses"]:
            yield (*heading, "", "", "", "")
        for place, uses in _places(entry["uses"]).items():
            file, line, column, letter, _, _, _ = place
            yield (*heading, f"{file}:{line}:{column}", f"{letter} {CLASSES[letter]}", _where(uses), _becomes(uses[0]))
            heading = ("", "", "")


def outside_line(addresses: Sequence[Mapping[str, Any]]) -> str:
    """One sentence for what `rows` leaves out; empty if there is nothing.

    >>> outside_line([{"address": "8.8.8.8", "network": None, "service": None, "uses": [{"action": "left"}]}])
    '1 address outside the stack stays as it is: 8.8.8.8 (-v shows where)'
    """
    found = [entry["address"] for entry in addresses if _outside(entry)]
    if not found:
        return ""
    listed = ", ".join(found[:_MOST_OUTSIDE]) + (f" and {len(found) - _MOST_OUTSIDE} more" if len(found) > _MOST_OUTSIDE else "")
    stay = "address outside the stack stays as it is" if len(found) == 1 else "addresses outside the stack stay as they are"
    return f"{len(found)} {stay}: {listed} (-v shows where)"


def _outside(entry: Mapping[str, Any]) -> bool:
    return entry["service"] is None and entry["network"] is None and all(use["action"] == "left" for use in entry["uses"])


def _places(uses: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for use in uses:
        key = (use["file"], use["line"], use["column"], use["class"], use["place"], use["action"], use["new"])
        found.setdefault(key, []).append(use)
    return found


def _where(uses: Sequence[Mapping[str, Any]]) -> str:
    """The place and whose it is.

    >>> _where([{"place": "env_file", "service": s} for s in "abcde"]), _where([{"place": "script", "service": None}])
    ('env_file of a, b, c and 2 more', 'script')
    """
    services = list(dict.fromkeys(use["service"] for use in uses if use["service"]))
    more = f" and {len(services) - _MOST_SERVICES} more" if len(services) > _MOST_SERVICES else ""
    return str(uses[0]["place"]) + (f" of {', '.join(services[:_MOST_SERVICES])}{more}" if services else "")


def _becomes(use: Mapping[str, Any]) -> str:
    """What stands there afterwards.

    >>> _becomes({"new": "@@ADDR:db@@", "action": "rendered"}), _becomes({"new": None, "action": "left"})
    ('the address of db, at start', '(left)')
    """
    if use["new"] is None:
        return f"({use['action']})"
    new = str(use["new"])
    for token, words in _START:
        if new == token:
            return words
    return f"the address of {new.partition(':')[2][:-2]}, at start" if new.startswith(("@@ADDR:", "@@ADDR6:")) else new
