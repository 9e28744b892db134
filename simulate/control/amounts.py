"""Amounts of resources as the API server compares, adds and prints them: whole numbers in thousandths of cores, bytes or pieces. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from simulate.control.placement_read import amount

BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
DECIMAL = ("k", "M", "G", "T", "P", "E")
_BINARY_TEXT = re.compile(r"[+-]?[0-9.]+[KMGTPE]i")
_NAME = re.compile(r"(?:requests\.|limits\.)?(.+)")


class Amount(NamedTuple):
    """A whole number of a resource's unit; `binary`: it was written with Ki, Mi ... and is printed so."""

    value: int
    binary: bool = False


Amounts = Mapping[str, Amount]


def resource_of(name: str) -> str:
    """The resource that a name of a quota is about.

    >>> [resource_of(name) for name in ("limits.cpu", "requests.nvidia.com/gpu", "pods", "cpu")]
    ['cpu', 'nvidia.com/gpu', 'pods', 'cpu']
    """
    match = _NAME.fullmatch(name)
    return match.group(1) if match else name


def read(name: str, text: object) -> Amount:
    """A quantity of a resource. ValueError when it is none.

    >>> read("limits.cpu", "1.5"), read("memory", "1Gi"), read("pods", 4)
    (Amount(value=1500, binary=False), Amount(value=1073741824, binary=True), Amount(value=4, binary=False))
    """
    return Amount(amount(resource_of(name), text), bool(_BINARY_TEXT.fullmatch(str(text).strip())))


def read_all(given: Mapping[str, Any] | None) -> dict[str, Amount]:
    """A list of resources."""
    return {str(name): read(str(name), text) for name, text in (given or {}).items()}


def shown(name: str, one: Amount) -> str:
    """The canonical text of the API: no fraction, the largest suffix that leaves none.

    >>> [shown("cpu", Amount(n)) for n in (1500, 2000, 0)], [shown("memory", Amount(n * 2**20, True)) for n in (1024, 1536)]
    (['1500m', '2', '0'], ['1Gi', '1536Mi'])
    >>> shown("memory", Amount(2 * 10**9)), shown("pods", Amount(12)), shown("memory", Amount(1000, True))
    ('2G', '12', '1000')
    """
    value = one.value
    if resource_of(name) == "cpu":
        if value % 1000:
            return f"{value}m"
        value //= 1000
    for suffix, power in reversed([*zip(BINARY if one.binary else DECIMAL, range(1, 7), strict=True)]):
        unit = (1024 if one.binary else 1000) ** power
        if value and value % unit == 0:
            return f"{value // unit}{suffix}"
    return str(value)


def added(left: Amounts, right: Amounts) -> dict[str, Amount]:
    """Sums; nothing plus something is written as the something."""
    found = dict(left)
    for name, one in right.items():
        before = found.get(name, Amount(0))
        found[name] = Amount(before.value + one.value, before.binary if before.value else one.binary)
    return found


def taken(left: Amounts, right: Amounts) -> dict[str, Amount]:
    """Differences, not below 0."""
    return {name: Amount(max(0, one.value - right.get(name, Amount(0)).value), one.binary) for name, one in left.items()}


def largest(left: Amounts, right: Amounts) -> dict[str, Amount]:
    """The larger of each."""
    return {name: max(left.get(name, Amount(0)), right.get(name, Amount(0))) for name in sorted({*left, *right})}


def listed(given: Amounts, names: Iterable[str]) -> str:
    """As in the messages of a quota: sorted by name.

    >>> listed({"pods": Amount(2), "limits.cpu": Amount(500)}, ["pods", "limits.cpu"])
    'limits.cpu=500m,pods=2'
    """
    return ",".join(f"{name}={shown(name, given.get(name, Amount(0)))}" for name in sorted(names))
