"""Numbers with units as Kubernetes writes them: "250m", "512Mi", "1.5s", "2h30m", "120/s".

Texts are read exactly (as fractions) and turned into SI floats at the end, so that "0.1" and "100m" are the same number. Every parser
raises ValueError with a message that names the text and what was expected.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

SUFFIXES: dict[str, Fraction] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}
"""Factors of the suffixes of a quantity; the small ones are decimal only."""

DURATION_UNITS: dict[str, Fraction] = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
    "w": Fraction(7 * 86400),
}
"""Seconds of the units of a duration. Kubernetes itself knows them up to `h`; days and weeks are for scenarios."""

RATE_UNITS: dict[str, Fraction] = {
    "s": Fraction(1),
    "sec": Fraction(1),
    "second": Fraction(1),
    "m": Fraction(60),
    "min": Fraction(60),
    "minute": Fraction(60),
    "h": Fraction(3600),
    "hour": Fraction(3600),
    "d": Fraction(86400),
    "day": Fraction(86400),
}

NUMBER = r"(?:\d+\.?\d*|\.\d+)"
_QUANTITY = re.compile(rf"([+-]?{NUMBER})(?:[eE]([+-]?\d{{1,4}})|([numkMGTPE]|[KMGTPE]i)?)")
_DURATION = re.compile(rf"[+-]?(?:{NUMBER}(?:ns|us|µs|μs|ms|s|m|h|d|w))+")
_DURATION_PART = re.compile(rf"({NUMBER})(ns|us|µs|μs|ms|s|m|h|d|w)")
_RATE = re.compile(r"(.+?)\s*/\s*([a-z]+)")
LONGEST = 64
"""A text longer than this is no number; it also bounds the work that a hostile text can cause."""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _exact(text: str) -> Fraction:
    match = _QUANTITY.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise ValueError(f"{_shown(text)} is not a quantity; expected a number with an optional suffix such as 250m, 1.5, 2k or 512Mi")
    number, exponent, suffix = match.groups()
    value = Fraction(number.rstrip(".") if number.endswith(".") else number)
    if exponent is None:
        return value * SUFFIXES[suffix or ""]
    if abs(int(exponent)) > 300:
        raise ValueError(f"{_shown(text)} is not a quantity; its exponent is out of range")
    return value * Fraction(10) ** int(exponent)


def parse_quantity(text: str) -> float:
    """The value of a Kubernetes quantity in its base unit (cores, bytes, pieces). ValueError when it is none.

    >>> parse_quantity("250m"), parse_quantity("512Mi"), parse_quantity("1e3")
    (0.25, 536870912.0, 1000.0)
    """
    return float(_exact(text.strip()))


def parse_milli(text: str) -> int:
    """The value in thousandths, rounded up away from zero as the API's MilliValue does.

    >>> parse_milli("100m"), parse_milli("2"), parse_milli("1n")
    (100, 2000, 1)
    """
    exact = _exact(text.strip()) * 1000
    return math.ceil(exact) if exact >= 0 else math.floor(exact)


def milli(value: float) -> int:
    """A measured value in thousandths, rounded up; noise below a millionth of a thousandth does not round up.

    >>> milli(0.1 + 0.2), milli(0.0101)
    (300, 11)
    """
    return math.ceil(value * 1000 - 1e-6)


def parse_duration(text: str) -> float:
    """Seconds of a duration such as "250ms", "1.5s", "2h30m" or "3d"; a bare number is seconds. ValueError when it is none.

    >>> parse_duration("1m30s"), parse_duration("250ms"), parse_duration("15")
    (90.0, 0.25, 15.0)
    """
    stripped = text.strip()
    if len(stripped) <= LONGEST:
        if re.fullmatch(rf"[+-]?{NUMBER}", stripped):
            return float(stripped)
        if _DURATION.fullmatch(stripped):
            parts = _DURATION_PART.findall(stripped)
            total = sum((Fraction(number.rstrip(".")) * DURATION_UNITS[unit.replace("μ", "µ")] for number, unit in parts), Fraction(0))
            return float(-total if stripped.startswith("-") else total)
    raise ValueError(f"{_shown(text)} is not a duration; expected a number with a unit such as 250ms, 1.5s, 2m, 3h or 1d")


def parse_rate(text: str) -> float:
    """Events per second of a rate such as "120/s", "1.5k/s" or "90/min"; a bare number is per second. ValueError when it is none.

    >>> parse_rate("120/s"), parse_rate("90/min"), parse_rate("2k/s")
    (120.0, 1.5, 2000.0)
    """
    stripped = text.strip()
    match = _RATE.fullmatch(stripped) if len(stripped) <= LONGEST else None
    number, unit = match.groups() if match else (stripped, "s")
    if unit not in RATE_UNITS:
        raise ValueError(f"{_shown(text)} is not a rate; expected events per s, min, h or d, such as 120/s")
    try:
        return float(_exact(number) / RATE_UNITS[unit])
    except ValueError:
        raise ValueError(f"{_shown(text)} is not a rate; expected a number per time such as 120/s or 90/min") from None


def format_milli(value: int, *, binary: bool = False) -> str:
    """Thousandths as the API prints them: whole numbers without suffix, others with `m`; `binary`: Ki, Mi ... where exact.

    >>> format_milli(33667), format_milli(150000), format_milli(80 * 2**20 * 1000, binary=True)
    ('33667m', '150', '80Mi')
    """
    whole, rest = divmod(value, 1000)
    if rest:
        return f"{value}m"
    suffixes, base = (("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1024) if binary else (("k", "M", "G", "T", "P", "E"), 1000)
    suffix = ""
    for name in suffixes:
        if whole == 0 or whole % base:
            break
        whole, suffix = whole // base, name
    return f"{whole}{suffix}"
