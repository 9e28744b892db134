"""Logarithm, exponential and cosine of the draws, the same digits on every machine, compiled or not.

C libraries differ in the last digit from one to the next, are called for one number at a time, and a cosine of random angles sends
their branches astray. These are sums and products of doubles only, in a fixed order (no fused ones), without branches where they are
compiled: several are computed at once. They are within 2 units in the last place of the true values. `log_of`, `exp_of`, `sine_of`
and `cosine_of` are the series; `machine.py` compiles the same functions.
"""

from __future__ import annotations

import math

LN2_HIGH = 0.6931471803691238
"""The first 33 bits of ln 2: its products with exponents are exact."""
LN2_LOW = 1.9082149292705877e-10
LOG2_E = 1.4426950408889634
HALF_ROOT = 0.7071067811865476
HALF_PI = 1.5707963267948966
ROUND = 6755399441055744.0
"""1.5 times 2 to the 52nd: added to a number below 2 to the 51st and taken away again, what is left is whole."""
LARGEST = 700.0
"""Exponents beyond are cut: no demand is e to the 700th times its mean."""

A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11 = (2.0 / (2 * n + 1) for n in range(1, 12))
E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13 = (1.0 / math.factorial(n) for n in range(2, 14))
S1, S2, S3, S4, S5, S6, S7, S8 = ((-1.0) ** n / math.factorial(2 * n + 1) for n in range(1, 9))
C2, C3, C4, C5, C6, C7, C8 = ((-1.0) ** n / math.factorial(2 * n) for n in range(2, 9))


def log_of(f: float, k: float) -> float:
    """ln of (1 + f) times 2 to the k-th, 1 + f between the roots of 1/2 and 2: a series in f / (2 + f)."""
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = A1 + w * (A3 + w * (A5 + w * (A7 + w * (A9 + w * A11))))
    even = A2 + w * (A4 + w * (A6 + w * (A8 + w * A10)))
    half = 0.5 * f * f
    return k * LN2_HIGH - ((half - (s * (half + z * odd + w * even) + k * LN2_LOW)) - f)


def exp_of(r: float) -> float:
    """e to the r-th for r between -0.35 and 0.35."""
    z = r * r
    odd = E3 + z * (E5 + z * (E7 + z * (E9 + z * (E11 + z * E13))))
    even = E2 + z * (E4 + z * (E6 + z * (E8 + z * (E10 + z * E12))))
    return 1.0 + (r + z * (even + r * odd))


def sine_of(x: float, z: float) -> float:
    """The sine of x between -pi/4 and pi/4; z is its square."""
    w = z * z
    return x + x * z * ((S1 + w * (S3 + w * (S5 + w * S7))) + z * (S2 + w * (S4 + w * (S6 + w * S8))))


def cosine_of(z: float) -> float:
    """The cosine of an angle between -pi/4 and pi/4, of its square."""
    w = z * z
    half = 0.5 * z
    first = 1.0 - half
    return first + ((1.0 - first) - half + w * ((C2 + w * (C4 + w * (C6 + w * C8))) + z * (C3 + w * (C5 + w * C7))))


def log(x: float) -> float:
    """ln x of a positive, normal double.

    >>> log(1.0), abs(log(0.3) / math.log(0.3) - 1.0) < 5e-16
    (0.0, True)
    """
    m, k = math.frexp(x)
    if m < HALF_ROOT:
        return log_of(2.0 * m - 1.0, k - 1.0)
    return log_of(m - 1.0, float(k))


def exp(x: float) -> float:
    """e to the x-th, x cut at 700 to both sides.

    >>> exp(0.0), abs(exp(-3.7) / math.exp(-3.7) - 1.0) < 5e-16, exp(1e9) == exp(LARGEST)
    (1.0, True, True)
    """
    x = min(max(x, -LARGEST), LARGEST)
    k = (x * LOG2_E + ROUND) - ROUND
    return math.ldexp(exp_of((x - k * LN2_HIGH) - k * LN2_LOW), int(k))


def cosine(turns: float) -> float:
    """The cosine of an angle given in turns, from 0 to 1.

    >>> [cosine(v) for v in (0.0, 0.25, 0.5, 0.75)], abs(cosine(0.1) - math.cos(0.2 * math.pi)) < 2e-16
    ([1.0, -0.0, -1.0, 0.0], True)
    """
    w = 4.0 * turns
    quarter = (w + ROUND) - ROUND
    x = HALF_PI * (w - quarter)
    z = x * x
    if quarter == 1.0:
        return -sine_of(x, z)
    if quarter == 2.0:
        return -cosine_of(z)
    return sine_of(x, z) if quarter == 3.0 else cosine_of(z)
