"""Two alternatives on the same draws: differences draw by draw, whose intervals are narrow because both saw the same requests."""

from __future__ import annotations

from collections.abc import Sequence

from simulate.metrics.intervals import Interval, interval
from simulate.metrics.summary import Summary


def paired(reference: Sequence[Summary], other: Sequence[Summary]) -> bool:
    """Whether draw by draw both saw the same requests: the same seeds, load and work, and as many entry services."""
    same = [(a.seed, a.context.requests) == (b.seed, b.context.requests) for a, b in zip(reference, other, strict=False)]
    known = all(draw.context.requests for draw in (*reference, *other))
    return known and len(reference) == len(other) and all(same) and len(reference[0].context.entries) == len(other[0].context.entries)


def figures_as(names: Sequence[str], summary: Summary) -> dict[str, float]:
    """The figures of a draw with its entry services called `names`, position by position."""
    found = summary.figures()
    for own, name in zip(summary.context.entries, names, strict=True):
        if own != name:
            found = {f"{name} {key.removeprefix(f'{own} ')}" if key.startswith(f"{own} ") else key: v for key, v in found.items()}
    return found


def differences(reference: Sequence[Summary], other: Sequence[Summary]) -> dict[str, Interval]:
    """Other minus reference of every figure that all draws of both have: mean and 95 % interval of the paired differences.

    Figures are called as in the reference. Empty where the draws are no pairs.
    """
    if not paired(reference, other):
        return {}
    names = reference[0].context.entries
    pairs = [(a.figures(), figures_as(names, b)) for a, b in zip(reference, other, strict=True)]
    shared = [name for name in pairs[0][0] if all(name in a and name in b for a, b in pairs)]
    return {name: interval([b[name] - a[name] for a, b in pairs]) for name in shared}
