"""`katenary.v3/*` labels: their values are YAML texts (peer-converters.md 2b). Pure reading; what is bad reads as None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrate.source import Unreadable, read_yaml

PREFIX: Final = "katenary.v3/"
READ: Final = frozenset(PREFIX + n for n in ("same-pod", "ingress", "ports", "secrets", "health-check", "cronjob", "ignore"))


def label_value(labels: Mapping[str, str], name: str) -> Any:
    """The value of `katenary.v3/<name>` as plain data; None if it is not there or is no YAML.

    >>> label_value({"katenary.v3/ports": "- 80\\n- 443"}, "ports"), label_value({}, "ports")
    ([80, 443], None)
    """
    text = labels.get(PREFIX + name)
    if text is None:
        return None
    try:
        documents, _ = read_yaml(text, PREFIX + name)
    except Unreadable:
        return None
    return documents[0].plain() if documents else None


def ports_of(labels: Mapping[str, str]) -> tuple[int, ...]:
    """Extra ports: a list, or one text with commas.

    >>> ports_of({"katenary.v3/ports": "80, 443"})
    (80, 443)
    """
    said = label_value(labels, "ports")
    listed = said if isinstance(said, list) else str(said).split(",") if said is not None else []
    return tuple(int(p) for p in (str(p).strip() for p in listed) if p.isdigit() and 0 < int(p) < 65536)


def secret_variables(labels: Mapping[str, str]) -> frozenset[str]:
    """Variables that are said to be secret."""
    said = label_value(labels, "secrets")
    return frozenset(str(name) for name in said) if isinstance(said, list) else frozenset()


def is_ignored(labels: Mapping[str, str]) -> bool:
    """Whether the service is said to be left out."""
    return label_value(labels, "ignore") is True


def ingress_of(labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What `ingress` says, if it is a mapping that is not switched off."""
    said = label_value(labels, "ingress")
    return said if isinstance(said, dict) and said.get("enabled", True) is not False else None


def schedule_of(labels: Mapping[str, str]) -> str | None:
    """The schedule of `cronjob`."""
    said = label_value(labels, "cronjob")
    return str(said["schedule"]) if isinstance(said, dict) and said.get("schedule") else None


def probes_of(labels: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    """The probes of `health-check` as the API writes them, by `livenessProbe`, `readinessProbe`, `startupProbe`."""
    said = label_value(labels, "health-check")
    names = ("livenessProbe", "readinessProbe", "startupProbe")
    return {n: said[n] for n in names if isinstance(said.get(n), dict)} if isinstance(said, dict) else {}
