"""How kubectl lays out text: tables of `get`, blocks and tables of `describe`, ages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTHING = "No resources found."


def table(header: Sequence[str], rows: Iterable[Sequence[str]], gap: int = 3) -> list[str]:
    """Columns as kubectl aligns them: padded, `gap` blanks apart (`get`: 3, `describe` and `rollout`: 2), nothing after the last.

    >>> table(["NAME", "READY"], [["web-1", "1/1"]])
    ['NAME    READY', 'web-1   1/1']
    """
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return [(" " * gap).join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def listed(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of `kubectl get`, or what it says when there is nothing."""
    return table(header, rows) if rows else [NOTHING]


def block(fields: Iterable[tuple[str, str]], indent: int = 0) -> list[str]:
    """Names and values of `kubectl describe`, the values under each other; a name without a value stands alone.

    >>> block([("Name", "web"), ("Replicas", "4 desired"), ("Conditions", "")])
    ['Name:      web', 'Replicas:  4 desired', 'Conditions:']
    """
    pairs = list(fields)
    width = max((len(name) + 1 for name, value in pairs if value), default=0)
    return [" " * indent + (f"{name + ':':<{width}}  {value}" if value else f"{name}:") for name, value in pairs]


def ruled(header: Sequence[str], rows: Sequence[Sequence[str]], indent: int = 2) -> list[str]:
    """A table inside `kubectl describe`: its header is underlined."""
    lines = table(header, [["-" * len(name) for name in header], *rows], gap=2)
    return [" " * indent + line for line in lines]


def age(seconds: float) -> str:
    """A duration as kubectl shows ages (apimachinery's duration.HumanDuration).

    >>> [age(s) for s in (-1, 0.4, 119, 120, 130, 600, 10799, 10800, 4000)]
    ['0s', '0s', '119s', '2m', '2m10s', '10m', '179m', '3h', '66m']
    >>> [age(3600 * h) for h in (7.5, 8, 47, 48, 75, 191, 192, 17519, 17520, 17544, 70079, 70080)]
    ['7h30m', '8h', '47h', '2d', '3d3h', '7d23h', '8d', '729d', '2y', '2y1d', '7y364d', '8y']
    """
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 8 * 365 else f"{days // 365}y"


def _two(large: int, unit: str, small: int, part: str) -> str:
    return f"{large}{unit}{small}{part}" if small else f"{large}{unit}"
