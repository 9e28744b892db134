"""`katenary.v3/*` labels: their values are YAML texts (peer-converters.md 2b). Pure reading; what is bad reads as None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrate.patterns import late
from migrate.source import Unreadable, read_yaml

PREFIX: Final = "katenary.v3/"
READ: Final = frozenset(PREFIX + n for n in ("same-pod", "ingress", "ports", "secrets", "health-check", "cronjob", "ignore", "map-env"))
_RELEASE: Final = late(r"(\{\{[^}]*\}\}-?)?__APP__-?|\{\{\s*\.Release\.Name\s*\}\}-?")


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


def scheduled_of(labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What `cronjob` says: `schedule`, and what runs then, if it is not what the service runs: `command` (shell text), `image`."""
    said = label_value(labels, "cronjob")
    return said if isinstance(said, dict) and said.get("schedule") else None


def schedule_of(labels: Mapping[str, str]) -> str | None:
    """The schedule of `cronjob`."""
    said = scheduled_of(labels)
    return str(said["schedule"]) if said is not None else None


def mapped_variables(labels: Mapping[str, str]) -> Mapping[str, str]:
    """The values that `map-env` gives to variables; `__APP__` there is the chart's release, which names have no longer.

    >>> mapped_variables({"katenary.v3/map-env": "DB_HOST: '{{ .Release.Name }}-__APP__-db'"})
    {'DB_HOST': 'db'}
    """
    said = label_value(labels, "map-env")
    if not isinstance(said, dict):
        return {}
    return {str(k): _RELEASE.sub("", str(v)) for k, v in said.items() if v is not None}


def probes_of(labels: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    """The probes of `health-check` as the API writes them, by `livenessProbe`, `readinessProbe`, `startupProbe`."""
    said = label_value(labels, "health-check")
    names = ("livenessProbe", "readinessProbe", "startupProbe")
    return {n: said[n] for n in names if isinstance(said.get(n), dict)} if isinstance(said, dict) else {}
