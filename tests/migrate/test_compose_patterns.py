"""No pattern of the loader needs more than linear time: each is tried on long repetitions of what it is made of."""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import product
from types import ModuleType
from typing import Any, Final, cast

import pytest

import migrate.compose
from migrate import source
from migrate.compose.schema import PROJECT, Type
from migrate.patterns import Late

LENGTH: Final = 8000
MOST_S: Final = 0.1
"""CPU seconds of one match. A linear one takes a thousandth of it; one that grows with the square five times as much."""


def modules() -> list[ModuleType]:
    return [source, *(importlib.import_module(f"migrate.compose.{found.name}") for found in pkgutil.iter_modules(migrate.compose.__path__))]


def _inside(value: Any) -> Iterator[re.Pattern[str]]:
    if isinstance(value, (re.Pattern, Late)):
        yield cast("re.Pattern[str]", value)
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from _inside(child)
    elif isinstance(value, (tuple, list)):
        for child in value:
            yield from _inside(child)


def _of_types(type_: Type | None, seen: set[int]) -> Iterator[re.Pattern[str]]:
    if type_ is None or id(type_) in seen:
        return
    seen.add(id(type_))
    if type_.kind == "str" and type_.pattern:
        yield re.compile(type_.pattern)
    for child in (*type_.keys.values(), type_.item):
        yield from _of_types(child, seen)


PATTERNS: Final = sorted(
    {pattern.pattern: pattern for module in modules() for value in vars(module).values() for pattern in _inside(value)}
    | {pattern.pattern: pattern for pattern in _of_types(PROJECT, set())}
)


def units(pattern: str) -> list[str]:
    """Single signs and pairs of those that the pattern may be made of."""
    signs = sorted({sign for sign in pattern if sign.isalnum() or sign in "._-/:@ ="} | set("a0A._-/: "))[:18]
    return [*signs, *("".join(pair) for pair in product(signs[:12], repeat=2))]


def _too_slow(number: int, frame: object) -> None:
    raise TimeoutError


def slowest(pattern: str) -> tuple[float, str]:
    """CPU seconds of the dearest match, and its unit. Raises TimeoutError for one without end."""
    compiled = re.compile(pattern)
    worst = (0.0, "")
    before = signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, 3)
    try:
        for unit in units(pattern):
            for text in (unit * (LENGTH // len(unit)) + "!", "a" + unit * (LENGTH // len(unit)) + "\x00"):
                begin = time.process_time()
                compiled.match(text)
                worst = max(worst, (time.process_time() - begin, unit))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return worst


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 20


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_linear(pattern: str) -> None:
    seconds, unit = slowest(pattern)
    assert seconds < MOST_S, unit


@pytest.mark.parametrize("pattern", [r"(a+)+\Z", r"(?:a|a)*b", r"a*a*a*b"])
def test_the_probe_sees_a_pattern_that_is_not(pattern: str) -> None:
    with suppress(TimeoutError):
        assert slowest(pattern)[0] > MOST_S
