"""What the labels and variables of reverse proxies say about hosts and paths (conversion.md 2.9 X4). Pure reading."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from migrate.compose.model import Service
from migrate.description import description
from migrate.patterns import late

_ROUTER: Final = late(r"traefik\.http\.routers\.([^.]+)\.(rule|tls|tls\.certresolver|service|middlewares)", re.IGNORECASE)
_PORT: Final = late(r"traefik\.http\.services\.([^.]+)\.loadbalancer\.server\.port", re.IGNORECASE)
_MUTE: Final = late(r"traefik\.(enable|docker\.(network|lbswarm)|http\.routers\.[^.]+\.(entrypoints|priority))", re.IGNORECASE)
"""Labels that say which door of the proxy is used, or how the proxy finds the container: nothing of that is left."""
_MATCHER: Final = late(r"\s*(!?)\s*([A-Za-z]+)\s*\(([^()]*)\)\s*")
_VALUE: Final = late(r"[`\"']([^`\"']*)[`\"']")


@description
class Route:
    """What a proxy sends to a service: (host, path) pairs, on which port, with TLS or not. `unknown`: what was not understood."""

    places: tuple[tuple[str | None, str], ...]
    port: int | None
    tls: bool
    unknown: tuple[str, ...]


def parse_rule(text: str) -> tuple[tuple[tuple[str | None, str], ...], tuple[str, ...]]:
    """The (host, path) pairs of a Traefik rule, and the matchers that are not understood; an alternative with one of these is left out.

    >>> parse_rule("Host(`a.example`, `b.example`) && PathPrefix(`/x`) || Host(`c.example`)")[0]
    (('a.example', '/x'), ('b.example', '/x'), ('c.example', '/'))
    >>> parse_rule("Host(`a`) && Headers(`X`, `y`)")
    ((), ('Headers',))
    """
    places: list[tuple[str | None, str]] = []
    unknown: list[str] = []
    for alternative in text.split("||"):
        hosts: list[str] = []
        paths: list[str] = []
        bad: list[str] = []
        for part in alternative.split("&&"):
            matched = _MATCHER.fullmatch(part)
            if matched is None or matched[1]:
                bad.append(part.strip()[:40])
                continue
            values = [v for v in _VALUE.findall(matched[3]) if v]
            if matched[2] == "Host":
                hosts += values
            elif matched[2] in ("PathPrefix", "Path"):
                paths += values
            else:
                bad.append(matched[2])
        if bad or not (hosts or paths):
            unknown += bad
            continue
        hosted: list[str | None] = [*hosts] or [None]
        places += [(host, path) for host in hosted for path in (paths or ["/"])]
    return tuple(dict.fromkeys(places)), tuple(unknown)


def route_of(service: Service) -> Route | None:
    """What Traefik's labels (under Swarm those of `deploy`) or nginx-proxy's variables say of a service; None if nothing."""
    deployed = (service.data.get("deploy") or {}).get("labels") or {}
    swarm = {str(k): str(v) for k, v in deployed.items()} if isinstance(deployed, Mapping) else {}
    return _traefik({**swarm, **service.labels}) or _nginx_proxy(service)


def _traefik(labels: Mapping[str, str]) -> Route | None:
    said = {k: v for k, v in labels.items() if k.lower().startswith("traefik.") and not _MUTE.fullmatch(k)}
    if not said or labels.get("traefik.enable", "true").lower() == "false":
        return None
    places: list[tuple[str | None, str]] = []
    unknown: list[str] = []
    tls, ports = False, []
    for key, value in said.items():
        matched = _ROUTER.fullmatch(key)
        what = matched[2].lower() if matched is not None else ""
        if what == "rule":
            understood, others = parse_rule(value)
            places += understood
            unknown += others
        elif what == "middlewares":
            unknown.append(f"middleware {value}")
        elif what == "tls.certresolver" or (what == "tls" and value.lower() != "false"):
            tls = True
        elif _PORT.fullmatch(key) and value.isdigit() and 0 < int(value) < 65536:
            ports.append(int(value))
        elif not what:
            unknown.append(f"label {key}")
    return Route(places=tuple(dict.fromkeys(places)), port=ports[0] if ports else None, tls=tls, unknown=tuple(dict.fromkeys(unknown)))


def _nginx_proxy(service: Service) -> Route | None:
    said = {k: v.value for k, v in service.environment.items() if v.value}
    hosts = said.get("VIRTUAL_HOST")
    if not hosts:
        return None
    port, path = said.get("VIRTUAL_PORT") or "", said.get("VIRTUAL_PATH") or "/"
    names = [h.strip() for h in hosts.split(",") if h.strip()]
    understood = tuple((h, path if path.startswith("/") else "/") for h in names if not h.startswith("~"))
    unknown = tuple(h for h in names if h.startswith("~"))
    unknown += tuple(k for k in ("VIRTUAL_DEST", "VIRTUAL_HOST_MULTIPORTS", "NETWORK_ACCESS", "HTTPS_METHOD") if said.get(k))
    unknown += ("VIRTUAL_PROTO",) if said.get("VIRTUAL_PROTO", "http").lower() != "http" else ()
    return Route(
        places=understood,
        port=int(port) if port.isdigit() and 0 < int(port) < 65536 else None,
        tls="LETSENCRYPT_HOST" in said,
        unknown=unknown,
    )
