"""What the API server refuses when a pod is created: requests above limits, then what LimitRanges forbid. Pure.

Order of the chain: defaults of the API (a request is the limit where only that is said), defaults of LimitRanges (both are in the
template already, `manifests.limits`), validation, LimitRanges, and at the very end the quotas (`quota`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulate.control.amounts import Amount, added, largest, read, read_all, shown
from simulate.spec import LimitItem, LimitRange

Spec = Mapping[str, Any]
Lists = tuple[Mapping[str, Amount], Mapping[str, Amount]]
"""(requests, limits)."""


def requests_of(container: Spec) -> dict[str, Amount]:
    """With the API's own default: the limit."""
    resources = container.get("resources") or {}
    return {**read_all(resources.get("limits")), **read_all(resources.get("requests"))}


def limits_of(container: Spec) -> dict[str, Amount]:
    """What is said."""
    return read_all((container.get("resources") or {}).get("limits"))


def of_pod(spec: Spec) -> Lists:
    """Requests and limits of a pod: the sum of its containers, or the largest init container with the sidecars started before it.

    >>> lists = of_pod({"containers": [{"resources": {"requests": {"cpu": "1"}}}] * 2, "overhead": {"cpu": "100m"}})
    >>> lists[0]["cpu"].value
    2100
    """
    overhead = read_all(spec.get("overhead"))
    asked, bounds = (_total(spec, of) for of in (requests_of, limits_of))
    level = spec.get("resources") or {}
    asked, bounds = {**asked, **read_all(level.get("requests"))}, {**bounds, **read_all(level.get("limits"))}
    return added(asked, overhead), {name: added({name: one}, overhead)[name] for name, one in bounds.items()}


def _total(spec: Spec, of: Any) -> dict[str, Amount]:
    total: dict[str, Amount] = {}
    for one in spec.get("containers") or ():
        total = added(total, of(one))
    sidecars: dict[str, Amount] = {}
    peak: dict[str, Amount] = {}
    for one in spec.get("initContainers") or ():
        if one.get("restartPolicy") == "Always":
            sidecars, total = added(sidecars, of(one)), added(total, of(one))
            peak = largest(peak, sidecars)
        else:
            peak = largest(peak, added(sidecars, of(one)))
    return largest(total, peak)


# ------------------------------------------------------------------ validation


def invalid(name: str, spec: Spec) -> str:
    """The message for a container that asks for more than its limit, "" if none does. A default of a LimitRange can make it so.

    >>> invalid("p", {"containers": [{"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}]})
    'Pod "p" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'
    """
    found = []
    for key in ("containers", "initContainers"):
        for number, one in enumerate(spec.get(key) or ()):
            asked, bounds = requests_of(one), limits_of(one)
            for resource in sorted(asked):
                if resource in bounds and asked[resource].value > bounds[resource].value:
                    wrong, bound = shown(resource, asked[resource]), shown(resource, bounds[resource])
                    place = f"spec.{key}[{number}].resources.requests"
                    found.append(f'{place}: Invalid value: "{wrong}": must be less than or equal to {resource} limit of {bound}')
    return f'Pod "{name}" is invalid: {_joined(found)}' if found else ""


def _joined(found: Sequence[str]) -> str:
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"


# ------------------------------------------------------------------ limit ranges


def forbidden(name: str, spec: Spec, ranges: Iterable[LimitRange]) -> str:
    """The message of the first LimitRange (by name) that a pod breaks, "" if it keeps all: every broken rule is told."""
    for one in sorted(ranges, key=lambda each: each.name):
        found = list(dict.fromkeys(broken(spec, one)))
        if found:
            return f'pods "{name}" is forbidden: {_joined(found)}'
    return ""


def broken(spec: Spec, one: LimitRange) -> list[str]:
    """The rules of one LimitRange that a pod breaks, in the words of the API server: each container, then the whole pod."""
    found = []
    for item in one.items:
        if item.kind == "Container":
            for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
                found += _item(item, (requests_of(container), limits_of(container)))
        else:
            found += _item(item, of_pod(spec))
    return found


def _item(item: LimitItem, lists: Lists) -> list[str]:
    told = [_minimum(item.kind, name, text, lists) for name, text in sorted(item.minimum.items())]
    told += [_maximum(item.kind, name, text, lists) for name, text in sorted(item.maximum.items())]
    told += [_ratio(item.kind, name, text, lists) for name, text in sorted(item.ratio.items())]
    return [one for one in told if one]


def _minimum(kind: str, name: str, text: str, lists: Lists) -> str:
    asked, bound = lists[0].get(name), lists[1].get(name)
    least = read(name, text)
    start = f"minimum {name} usage per {kind} is {shown(name, least)}"
    if asked is None:
        return f"{start}.  No request is specified"
    if asked.value < least.value:
        return f"{start}, but request is {shown(name, asked)}"
    if bound is not None and bound.value < least.value:
        return f"{start}, but limit is {shown(name, bound)}"
    return ""


def _maximum(kind: str, name: str, text: str, lists: Lists) -> str:
    asked, bound = lists[0].get(name), lists[1].get(name)
    most = read(name, text)
    start = f"maximum {name} usage per {kind} is {shown(name, most)}"
    if bound is None:
        return f"{start}.  No limit is specified"
    if bound.value > most.value:
        return f"{start}, but limit is {shown(name, bound)}"
    if asked is not None and asked.value > most.value:
        return f"{start}, but request is {shown(name, asked)}"
    return ""


def _ratio(kind: str, name: str, text: str, lists: Lists) -> str:
    asked, bound = lists[0].get(name), lists[1].get(name)
    most = read("cpu", text)
    start = f"{name} max limit to request ratio per {kind} is {shown('cpu', most)}"
    if asked is None or not asked.value:
        return f"{start}, but no request is specified or request is 0"
    if bound is None or not bound.value:
        return f"{start}, but no limit is specified or limit is 0"
    ratio = bound.value / asked.value
    return f"{start}, but provided ratio is {ratio:.6f}" if ratio * 1000 > most.value else ""
