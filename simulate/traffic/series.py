"""Logarithm, exponential and cosine in machine code: `elementary.py` digit by digit, without branches, so that loops do several at once."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import Any

from simulate.traffic import elementary
from simulate.traffic.elementary import HALF_PI, HALF_ROOT, LARGEST, LN2_HIGH, LN2_LOW, LOG2_E, ROUND
from simulate.traffic.machine import bits, double_of, inlined

log_of: Any = inlined(elementary.log_of)
exp_of: Any = inlined(elementary.exp_of)
sine_of: Any = inlined(elementary.sine_of)
cosine_of: Any = inlined(elementary.cosine_of)
FRACTION, BEHIND_HALF, BEHIND_2_52 = (1 << 52) - 1, 1022 << 52, 1075 << 52
"""The bits of a fraction, and those of the exponents of 1/2 and of 2 to the 52nd."""
EXPONENT = 2.0**52 + 1022.0
ONE = 1023 << 52


@inlined
def log(x: float) -> float:
    """As elementary.log."""
    b = bits(x)
    m = double_of((b & FRACTION) | BEHIND_HALF)
    k = double_of((b >> 52) | BEHIND_2_52) - EXPONENT
    below = m < HALF_ROOT
    m = m + m if below else m
    k = k - 1.0 if below else k
    return log_of(m - 1.0, k)


@inlined
def exp(x: float) -> float:
    """As elementary.exp."""
    x = min(max(x, -LARGEST), LARGEST)
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    return exp_of((x - k * LN2_HIGH) - k * LN2_LOW) * double_of((bits(shifted) << 52) + ONE)


@inlined
def cosine(turns: float) -> float:
    """As elementary.cosine."""
    w = 4.0 * turns
    quarter = (w + ROUND) - ROUND
    x = HALF_PI * (w - quarter)
    z = x * x
    s, c = sine_of(x, z), cosine_of(z)
    value = s if abs(quarter - 2.0) == 1.0 else c
    return -value if abs(quarter - 1.5) == 0.5 else value
