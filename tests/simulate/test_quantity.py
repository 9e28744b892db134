"""Quantities, durations and rates: values by hand from the grammar of the API."""

from __future__ import annotations

import math

import pytest

from simulate import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0), ("1", 1.0), ("250m", 0.25), (".5", 0.5), ("1.", 1.0), ("+2", 2.0), ("-1500m", -1.5), ("100n", 1e-7), ("3u", 3e-6),
        ("2k", 2e3), ("2K" + "i", 2048.0), ("1.5Gi", 1.5 * 2**30), ("1E", 1e18), ("1Ei", 2.0**60), ("1e3", 1e3),
        ("1E3", 1e3), ("12E-2", 0.12),
    ],
)  # fmt: skip
def test_quantity(text: str, value: float) -> None:
    assert quantity.parse_quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", "m", "1 Gi", "1KB", "2K", "1ki", "0x10", "1e", "--1", "1m1", "inf", "nan", "1e9999", "9" * 65, "1\n2"]
)
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity.parse_quantity(text)


@pytest.mark.parametrize(
    ("text", "value"), [("100m", 100), ("1", 1000), ("0.1", 100), ("1n", 1), ("-1n", -1), ("100Mi", 104857600000), ("1001u", 2)]
)
def test_milli_rounds_away_from_zero(text: str, value: int) -> None:
    assert quantity.parse_milli(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0.0), ("0s", 0.0), ("1.5s", 1.5), ("300ms", 0.3), ("2h", 7200.0), ("1h30m", 5400.0), ("90", 90.0), ("1d", 86400.0),
     ("-1m", -60.0),
     ("5us", 5e-6), ("5µs", 5e-6), ("7ns", 7e-9), ("2w", 1209600.0), ("1h0m0.5s", 3600.5)],
)  # fmt: skip
def test_duration(text: str, value: float) -> None:
    assert math.isclose(quantity.parse_duration(text), value, rel_tol=1e-15, abs_tol=0)


@pytest.mark.parametrize("text", ["", "s", "1 s", "1s ago", "1y", "1h30", "-", "1:30", "1M"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        quantity.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "value"), [("120/s", 120.0), ("60/m", 1.0), ("90 / min", 1.5), ("1.5k/s", 1500.0), ("7", 7.0), ("3600/h", 1.0), ("0/s", 0.0)]
)
def test_rate(text: str, value: float) -> None:
    assert quantity.parse_rate(text) == value


@pytest.mark.parametrize("text", ["", "/s", "x/s", "1/", "1/x", "1/s/s", "1s"])
def test_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        quantity.parse_rate(text)


@pytest.mark.parametrize(
    ("value", "binary", "text"),
    [(0, False, "0"), (100, False, "100m"), (2000, False, "2"), (2_000_000, False, "2k"), (1024_000, True, "1Ki"), (1000, True, "1")],
)
def test_format(value: int, binary: bool, text: str) -> None:
    assert quantity.format_milli(value, binary=binary) == text


@pytest.mark.parametrize(("value", "expected"), [(0.3, 300), (0.1 + 0.2, 300), (0.0, 0), (1.0001, 1001)])
def test_measured_value_in_milli(value: float, expected: int) -> None:
    assert quantity.milli(value) == expected
