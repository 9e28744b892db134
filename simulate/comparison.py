"""What `simulate compare` puts side by side: names of variants, and whether they may stand beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from simulate.metrics.context import requests_of
from simulate.problems import InputError, Problem
from simulate.spec import ClusterSpec

BASELINE = "baseline"
"""The label of the world before."""


def labelled(arguments: Sequence[str]) -> dict[str, str]:
    """`LABEL=PATH` or a path, which is its own label. InputError for a label that two have, or that the world before has.

    >>> labelled(["small=k8s/small", "k8s/large/"])
    {'small': 'k8s/small', 'k8s/large': 'k8s/large/'}
    """
    found: dict[str, str] = {}
    for argument in arguments:
        label, equals, path = argument.partition("=")
        if not equals or "/" in label or not label or not path:
            label, path = argument.rstrip("/") or argument, argument
        if label in found or label == BASELINE:
            taken = "is the label of the world before" if label == BASELINE else "is the label of two variants"
            raise _fault(f"{label!r} {taken}; write LABEL={path}")
        found[label] = path
    return found


def scenarios_of(labels: Sequence[str], given: int) -> tuple[int, ...]:
    """Which of the scenarios each variant has: the only one, or its own. InputError for another number of them.

    >>> scenarios_of(["a", "b"], 1), scenarios_of(["a", "b"], 2)
    ((0, 0), (0, 1))
    """
    if given not in (1, len(labels)):
        raise _fault(f"needs one scenario for all or one for each of {len(labels)} variants, has {given}")
    return tuple(i if given > 1 else 0 for i in range(len(labels)))


def refuse_what_cannot_be_compared(specs: Mapping[str, ClusterSpec]) -> None:
    """InputError where there is only one thing, or where variants do not see the same requests (another load, work, horizon or seed)."""
    if len(specs) < 2:
        raise _fault("one variant and no `baseline` in the scenario: there is nothing to compare it with")
    first, *others = specs
    kinds = {label: (requests_of(spec.traffic), spec.seed, spec.horizon_s) for label, spec in specs.items()}
    unlike = [label for label in others if kinds[label] != kinds[first]]
    if unlike:
        reason = "load, work per request, horizon and seed must be the same"
        raise _fault(f"{', '.join(unlike)} and {first} do not see the same requests: {reason}")


def without_note(spec: ClusterSpec) -> ClusterSpec:
    """Without the note that the scenario's `baseline` is not used: here it is."""
    return replace(spec, assumptions=tuple(one for one in spec.assumptions if one.subject != BASELINE))


def _fault(message: str) -> InputError:
    return InputError([Problem(file="compare", line=0, column=0, message=message)])
