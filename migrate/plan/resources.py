"""Requests and limits (conversion.md 2.14)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from migrate.compose.units import size_bytes
from migrate.findings import Action, Severity
from migrate.patterns import late
from migrate.plan.decision import Answers, Decided, Notes
from migrate.stack import Member, Stack


def cpu_text(cores: float) -> str:
    """A CPU quantity in millicores, rounded up, at least 1m; whole cores without suffix.

    >>> cpu_text(0.5), cpu_text(2.0), cpu_text(0.00001), cpu_text(0.1)
    ('500m', '2', '1m', '100m')
    """
    millicores = max(1, math.ceil(round(cores * 1000, 6)))
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def memory_text(count: int) -> str:
    """Bytes with an exact binary suffix, else as an integer.

    >>> memory_text(536870912), memory_text(1000), memory_text(1 << 31)
    ('512Mi', '1000', '2Gi')
    """
    for suffix, size in (("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count // size}{suffix}"
    return str(count)


_QUANTITY: Final = late(r"(\d+(?:\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
_POWERS: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def quantity(text: str) -> float | None:
    """The number that a Kubernetes quantity means; None if it is none.

    >>> quantity("500m"), quantity("1Ki"), quantity("1e3"), quantity("10GB")
    (0.5, 1024.0, 1000.0, None)
    """
    matched = _QUANTITY.fullmatch(text.strip())
    if matched is None:
        return None
    number, suffix = float(matched[1]), matched[2] or ""
    if suffix.endswith("i"):
        return float(number * 1024 ** ("KMGTPE".index(suffix[0]) + 1))
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return float(number * 10 ** int(suffix[1:]))
    return float(number * 10 ** _POWERS[suffix])


def _within_limits(requests: dict[str, str], limits: Mapping[str, str], notes: Notes) -> None:
    """API: a request above its limit is refused."""
    for name, wanted in requests.items():
        most = limits.get(name)
        if most is not None and (quantity(wanted) or 0) > (quantity(most) or 0):
            text = f"the request for {name} ({wanted}) is above its limit: {most} is requested"
            notes.find("MIG702", text, severity=Severity.WARNING)
            requests[name] = most


def decide_resources(stack: Stack, member: Member, answers: Answers) -> Decided[Mapping[str, Mapping[str, str]]]:
    """`requests` and `limits` of one container, only what is said; empty if nothing is."""
    notes = Notes(stack.project, member.service)
    data = member.service.data
    said = (data.get("deploy") or {}).get("resources") or {}
    limits = limits_of(data)
    requests = _amounts(said.get("reservations") or {})
    if "memory" not in requests and (bytes_said := _positive(data.get("mem_reservation"))):
        requests["memory"] = memory_text(bytes_said)
    if "cpu" not in requests and (shares := _number(data.get("cpu_shares"))):
        requests["cpu"] = cpu_text(shares / 1024)
        notes.find("MIG704", f"cpu_shares became a request of {requests['cpu']}", "cpu_shares")
    _gpus(data, said, limits, notes)
    if (size := _positive((data.get("storage_opt") or {}).get("size"))) is not None:
        limits["ephemeral-storage"] = memory_text(size)
        notes.find("MIG714", "disk size became a limit of ephemeral-storage", "storage_opt")
    if data.get("cpu_count") and not said.get("limits", {}).get("cpus") and not data.get("cpus"):
        notes.find("MIG704", "cpu_count became a CPU limit", "cpu_count")
    for key, amounts in (("kompose.ephemeral-storage.request", requests), ("kompose.ephemeral-storage.limit", limits)):
        said_here = str(((data.get("deploy") or {}).get("labels") or {}).get(key) or member.service.labels.get(key) or "")
        if said_here and quantity(said_here) is None:
            notes.find("MIG032", f"{said_here!r} is no quantity", "labels", key, action=Action.DROPPED)
        elif said_here:
            amounts["ephemeral-storage"] = said_here
    answer = answers.services.get(member.service.name, {}).get("resources")
    if isinstance(answer, Mapping):
        notes.decide("resources", "as planned", "plan", "said by the plan")
        requests |= {k: str(v) for k, v in (answer.get("requests") or {}).items()}
        limits |= {k: str(v) for k, v in (answer.get("limits") or {}).items()}
    _within_limits(requests, limits, notes)
    _told(requests, limits, data, notes)
    return notes.done({k: v for k, v in (("requests", requests), ("limits", limits)) if v})


def limits_of(data: Mapping[str, Any]) -> dict[str, str]:
    """The limits that a canonical Compose service has, as quantities: `cpu` and `memory`, only what is said.

    >>> limits_of({"cpus": 0.5, "mem_limit": "268435456"}), limits_of({"cpu_quota": 150000}), limits_of({})
    ({'cpu': '500m', 'memory': '256Mi'}, {'cpu': '1500m'}, {})
    """
    limits = _amounts(((data.get("deploy") or {}).get("resources") or {}).get("limits") or {})
    if "cpu" not in limits:
        cores = _number(data.get("cpus")) or _number(data.get("cpu_count"))
        quota, period = _number(data.get("cpu_quota")), _number(data.get("cpu_period")) or 100_000.0
        if not cores and quota:
            cores = quota / period
        if cores:
            limits["cpu"] = cpu_text(cores)
    if "memory" not in limits and (bytes_said := _positive(data.get("mem_limit"))):
        limits["memory"] = memory_text(bytes_said)
    return dict(sorted(limits.items()))


def _amounts(said: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if cores := _number(said.get("cpus")):
        found["cpu"] = cpu_text(cores)
    if bytes_said := _positive(said.get("memory")):
        found["memory"] = memory_text(bytes_said)
    return found


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _positive(value: Any) -> int | None:
    if value is None:
        return None
    count = size_bytes(str(value))
    return count if count else None


_RESERVED: Final = ("deploy", "resources", "reservations", "devices")


def _gpus(data: Mapping[str, Any], said: Mapping[str, Any], limits: dict[str, str], notes: Notes) -> None:
    reserved = (said.get("reservations") or {}).get("devices") or ()
    asked: Any = data.get("gpus") or ()
    wanted: list[tuple[Mapping[str, Any], tuple[str | int, ...]]]
    wanted = [(d, (*_RESERVED, n)) for n, d in enumerate(reserved) if isinstance(d, Mapping)]
    if isinstance(asked, (list, tuple)):
        wanted += [(d, ("gpus", n)) for n, d in enumerate(asked) if isinstance(d, Mapping)]
    else:
        wanted.append(({"count": asked}, ("gpus",)))
    for device, path in wanted:
        able = [str(c) for c in device.get("capabilities") or ()]
        if path[: len(_RESERVED)] == _RESERVED and "gpu" not in able:
            notes.find("MIG724", "a reserved device that is no GPU", *path, action=Action.DROPPED)
            continue
        if others := [c for c in able if c != "gpu"]:
            text = f"capabilities {', '.join(others)} have no equivalent"
            notes.find("MIG724", text, *path, "capabilities", action=Action.DROPPED)
        if device.get("device_ids"):
            notes.find("MIG708", "which GPUs cannot be chosen", *path, "device_ids", action=Action.DROPPED)
        if device.get("options"):
            text = f"device options {', '.join(str(o) for o in device['options'])} have no equivalent"
            notes.find("MIG724", text, *path, "options", action=Action.DROPPED)
        count = device.get("count")
        number = len(device.get("device_ids") or ()) or (count if isinstance(count, int) and count > 0 else 1)
        name = f"{device.get('driver') or 'nvidia'}.com/gpu"
        limits[name] = str(number)
        notes.find("MIG707", f"{number} of {name} by its device plugin", *path)
    if (said.get("reservations") or {}).get("generic_resources"):
        notes.find(
            "MIG724",
            "generic resources have no equivalent",
            "deploy",
            "resources",
            "reservations",
            "generic_resources",
            action=Action.DROPPED,
        )


def _told(requests: Mapping[str, str], limits: Mapping[str, str], data: Mapping[str, Any], notes: Notes) -> None:
    if not requests and not limits:
        notes.find("MIG701", "no requests and no limits: the scheduler knows nothing of it", action=Action.MAPPED)
        return
    only_limits = [k for k in ("cpu", "memory") if k in limits and k not in requests]
    if only_limits:
        whole = limits.get("cpu", "0m")
        large = "cpu" in only_limits and not whole.endswith("m")
        large = large or (whole.endswith("m") and int(whole[:-1]) >= 1000 and "cpu" in only_limits)
        text = f"the request for {' and '.join(only_limits)} equals the limit"
        notes.find("MIG702", text, action=Action.MAPPED, severity=Severity.WARNING if large else None)
