"""Random numbers by what they are for (model.md 1.5 and 1.6): pure functions of a key, a purpose and a counter.

The k-th request of a source has the same demands, branches and choices whatever the routing or the number of pods; two runs
that differ in one setting share every draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from simulate.spec import Distribution
from simulate.traffic.elementary import cosine, exp, log

MASK = 0xFFFFFFFFFFFFFFFF
GOLDEN = 0x9E3779B97F4A7C15

Sampler = Callable[[int, int, int], float]
"""(key, purpose, first counter) -> a value of the distribution."""


def mix(z: int) -> int:
    """The finaliser of splitmix64.

    >>> hex(mix(1))
    '0x5692161d100b05e5'
    """
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def fnv(text: str) -> int:
    """FNV-1a, 64 bits, of the UTF-8 bytes.

    >>> hex(fnv("a"))
    '0xaf63dc4c8601ec8c'
    """
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


ARRIVAL, SIZE, THINK, PROXY, CLIENT, CONN = map(fnv, ("arrival", "size", "think", "proxy", "client", "conn"))
PICK, CPU, WAIT, BRANCH, BACKOFF, PHASE, DWELL, CALL = map(fnv, ("pick", "cpu", "wait", "branch", "backoff", "phase", "dwell", "call"))


def base(seed: int, name: str) -> int:
    """The key of a named stream: "source/NAME", "pod/NAME", "mmpp/SOURCE/NUMBER", "probe".

    >>> hex(base(1, "source/users"))
    '0x543ebb6153e95a37'
    """
    return mix(mix(((seed + 1) * GOLDEN) & MASK) ^ fnv(name))


def numbered(key: int, k: int) -> int:
    """K(source, k) from the source's base; K(source, user, i) from K(source, user).

    >>> hex(numbered(base(1, "source/users"), 0))
    '0xbe3f4494caa0f0f7'
    """
    return mix((key + (k + 1) * GOLDEN) & MASK)


def bits(key: int, purpose: int, j: int) -> int:
    """64 random bits for the j-th draw of a purpose (a hash of `fnv`)."""
    return mix(((key ^ purpose) + (j + 1) * GOLDEN) & MASK)


def unit(key: int, purpose: int, j: int) -> float:
    """A number in [2**-53, 1 - 2**-53], never 0 and never 1.

    >>> unit(numbered(base(1, "source/users"), 0), ARRIVAL, 0)
    0.03619371436700558
    """
    return ((bits(key, purpose, j) >> 12) + 0.5) * 2.0**-52


def index(u: float, n: int) -> int:
    """A position in 0..n-1."""
    return int(u * n)


def child(key: int, step: int, copy: int) -> int:
    """The key of a call that a job makes, from the key of the call that the job serves."""
    return bits(key, CALL, step * 65536 + copy)


def affinity(client: int, pod_hash: int) -> int:
    """The weight of a pod for a client in rendezvous hashing (4.2)."""
    return mix(mix(CLIENT ^ (((client + 1) * GOLDEN) & MASK)) ^ pod_hash)


def sampler(distribution: Distribution) -> Sampler:
    """The drawing function of a distribution (1.6); draws j, j + 1 ... of the purpose are used.

    >>> sampler(Distribution(name="exp", mean=0.01))(numbered(base(1, "source/users"), 0), CPU, 0)
    0.007546302177991375
    """
    return _SAMPLERS[distribution.name](distribution)


def _const(d: Distribution) -> Sampler:
    return lambda key, purpose, j: d.value


def _uniform(d: Distribution) -> Sampler:
    low, width = d.minimum, d.maximum - d.minimum
    return lambda key, purpose, j: low + width * unit(key, purpose, j)


def _exp(d: Distribution) -> Sampler:
    mean = d.mean
    return lambda key, purpose, j: -mean * log(unit(key, purpose, j))


def _lognormal(d: Distribution) -> Sampler:
    mean, s2 = d.mean, math.log(1.0 + d.cv * d.cv)
    sigma = math.sqrt(s2)

    def draw(key: int, purpose: int, j: int) -> float:
        z = math.sqrt(-2.0 * log(unit(key, purpose, j))) * cosine(unit(key, purpose, j + 1))
        return mean * exp(sigma * z - s2 / 2.0)

    return draw


def _erlang(d: Distribution) -> Sampler:
    scale, k = d.mean / d.k, d.k

    def draw(key: int, purpose: int, j: int) -> float:
        total = 0.0
        for i in range(k):
            total += log(unit(key, purpose, j + i))
        return -scale * total

    return draw


def _hyperexp(d: Distribution) -> Sampler:
    square = d.cv * d.cv
    p = (1.0 + math.sqrt((square - 1.0) / (square + 1.0))) / 2.0
    first, second = d.mean / (2.0 * p), d.mean / (2.0 * (1.0 - p)) if p < 1.0 else 0.0

    def draw(key: int, purpose: int, j: int) -> float:
        scale = first if unit(key, purpose, j) < p else second
        return -scale * log(unit(key, purpose, j + 1))

    return draw


def _pareto(d: Distribution) -> Sampler:
    low, share, power = d.minimum, 1.0 - (d.minimum / d.maximum) ** d.alpha, -1.0 / d.alpha
    return lambda key, purpose, j: float(low * (1.0 - unit(key, purpose, j) * share) ** power)


def _quantiles(d: Distribution) -> Sampler:
    points = d.points

    def draw(key: int, purpose: int, j: int) -> float:
        v = unit(key, purpose, j)
        i = 0
        while i < len(points) - 2 and v >= points[i + 1][0]:
            i += 1
        (q0, x0), (q1, x1) = points[i], points[i + 1]
        return x0 + (x1 - x0) * (v - q0) / (q1 - q0)

    return draw


_SAMPLERS: dict[str, Callable[[Distribution], Sampler]] = {
    "const": _const,
    "uniform": _uniform,
    "exp": _exp,
    "lognormal": _lognormal,
    "erlang": _erlang,
    "hyperexp": _hyperexp,
    "pareto": _pareto,
    "quantiles": _quantiles,
}
