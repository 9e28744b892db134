"""Random numbers of the control plane: a hash of the seed and of what the number is for, so that no draw depends on another."""

from __future__ import annotations

MASK = (1 << 64) - 1


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def uniform(seed: int, *purpose: str | int) -> float:
    """A number in [0, 1) for a purpose (the finaliser of splitmix64 over FNV-1a of the text).

    >>> uniform(1, "tie", "web-1") == uniform(1, "tie", "web-1") != uniform(2, "tie", "web-1")
    True
    """
    value = 0xCBF29CE484222325
    for byte in "/".join(map(str, purpose)).encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return (_mix(_mix((seed + 1) * 0x9E3779B97F4A7C15 & MASK) ^ value) >> 11) * 2.0**-53
