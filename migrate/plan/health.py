"""Probes (conversion.md 2.12): H1 to H5."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from migrate.compose.model import Healthcheck
from migrate.compose.units import duration_ns, split_command
from migrate.findings import Action
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.escaping import escaped
from migrate.plan.katenary import probes_of
from migrate.plan.types import Health, Probe
from migrate.stack import Member, Reference, Stack

DEFAULT_INTERVAL_S: Final = 30.0
DEFAULT_TIMEOUT_S: Final = 30.0
DEFAULT_RETRIES: Final = 3


def decide_health(
    stack: Stack,
    member: Member,
    test: tuple[str, ...] | None,
    callers: Iterable[Reference],
    one_shot: bool,
    sidecar: bool,
    answers: Answers,
) -> Decided[Health]:
    """The probes of one service. `test` is its health check after rewriting, `callers` the references to it, `sidecar`
    whether others of its pod start after it is ready (a native sidecar gets a startup probe).

    Liveness is not made of a health check: Docker never restarted an unhealthy container. It comes by label or plan, and then always
    with a startup probe.
    """
    notes = Notes(stack.project, member.service)
    check = member.service.healthcheck
    if check is not None and (check.disable or (check.test is not None and check.test[:1] == ("NONE",))):
        notes.decide("health", "no probe", "H1", "the health check is switched off", check.span)
        return notes.done(Health())
    if (labelled := _labelled(member, check, notes)) is not None:
        return notes.done(labelled)
    handler, rule, from_image = _handler(member, check, test)
    if handler is not None:
        found = _from_check(member, check, handler, rule, from_image, one_shot, answers, notes)
        return notes.done(replace(found, startup=found.startup or startup_of(check, handler)) if sidecar else found)
    if one_shot or answers.of(member.service.name, "defaultProbe") == "none" or member.service.network_mode == "host":
        return notes.done(Health())
    port = _default_port(member, list(callers))
    if port is None:
        return notes.done(Health())
    notes.find("MIG602", f"ready when port {port} accepts connections", action=Action.ASSUMED)
    notes.decide("health", f"readiness: tcp {port}", "H5", "no health check is said, and others use this port")
    return notes.done(Health(readiness=Probe(handler={"tcpSocket": {"port": port}}, period_s=10, timeout_s=2, failures=3)))


def _handler(member: Member, check: Healthcheck | None, test: tuple[str, ...] | None) -> tuple[dict[str, Any] | None, str, bool]:
    said = test if test is not None else check.test if check is not None else None
    if said:
        return exec_of(said), "H3", False
    if member.dockerfile is not None and member.dockerfile.healthcheck and member.dockerfile.healthcheck[0] != "NONE":
        return exec_of(member.dockerfile.healthcheck), "H4", True
    return None, "", False


def exec_of(test: tuple[str, ...]) -> dict[str, Any] | None:
    """A health check's test as an exec handler; None if it has no command.

    >>> exec_of(("CMD-SHELL", "pg_isready -U $USER || exit 1"))
    {'exec': {'command': ['/bin/sh', '-c', 'pg_isready -U $USER || exit 1']}}
    >>> exec_of(("CMD", "ping", "$(x)"))
    {'exec': {'command': ['ping', '$$(x)']}}
    """
    form, *words = test
    if not words:
        return None
    command = ["/bin/sh", "-c", " ".join(words)] if form == "CMD-SHELL" else list(words)
    return {"exec": {"command": [escaped(w) for w in command]}}


def _from_check(
    member: Member,
    check: Healthcheck | None,
    handler: dict[str, Any],
    rule: str,
    from_image: bool,
    one_shot: bool,
    answers: Answers,
    notes: Notes,
) -> Health:
    if from_image:
        notes.find("MIG603", "readiness from the Dockerfile's HEALTHCHECK", action=Action.MAPPED)
    else:
        notes.find("MIG601", "readiness from the health check", "healthcheck", action=Action.MAPPED)
    notes.decide("health", "readiness: exec", rule, "the health check says when it can serve", check.span if check else None)
    _rounded(check, notes)
    readiness = Probe(handler=handler, period_s=_period(check), timeout_s=_timeout(check), failures=_retries(check))
    wants = answers.of(member.service.name, "liveness") is True or str(member.service.labels.get("autoheal", "")).lower() == "true"
    if one_shot or not wants:
        notes.find("MIG605", "no liveness probe: an unhealthy container was not restarted either", "healthcheck", action=Action.MAPPED)
        if check is not None and check.start_interval_s is not None:
            notes.find(
                "MIG607", "start_interval has no place without a startup probe", "healthcheck", "start_interval", action=Action.DROPPED
            )
        return Health(readiness=readiness)
    notes.decide("liveness", "exec", "H3", "asked for by the plan or autoheal", check.span if check else None)
    liveness = Probe(handler=handler, period_s=readiness.period_s, timeout_s=readiness.timeout_s, failures=2 * readiness.failures)
    return Health(readiness=readiness, liveness=liveness, startup=startup_of(check, handler))


def startup_of(check: Healthcheck | None, handler: dict[str, Any]) -> Probe:
    """The startup probe that gives a container its start_period and then its retries."""
    interval = (check.interval_s if check is not None else None) or DEFAULT_INTERVAL_S
    start_interval = check.start_interval_s if check is not None else None
    period = max(1, math.ceil(start_interval)) if start_interval else max(1, min(math.ceil(interval), 10))
    start = (check.start_period_s if check is not None else None) or 0.0
    failures = max(3, math.ceil((start + _retries(check) * interval) / period))
    return Probe(handler=handler, period_s=period, timeout_s=_timeout(check), failures=failures)


def _period(check: Healthcheck | None) -> int:
    return max(1, math.ceil((check.interval_s if check is not None else None) or DEFAULT_INTERVAL_S))


def _timeout(check: Healthcheck | None) -> int:
    return max(1, math.ceil((check.timeout_s if check is not None else None) or DEFAULT_TIMEOUT_S))


def _retries(check: Healthcheck | None) -> int:
    return max(1, int((check.retries if check is not None else None) or DEFAULT_RETRIES))


def _rounded(check: Healthcheck | None, notes: Notes) -> None:
    if check is None:
        return
    for key, seconds in (("interval", check.interval_s), ("timeout", check.timeout_s)):
        if seconds is not None and seconds != math.ceil(seconds):
            notes.find("MIG604", f"{key} {seconds:g} s becomes {max(1, math.ceil(seconds))} s", "healthcheck", key)


def _default_port(member: Member, callers: list[Reference]) -> int | None:
    tcp = {p.port for p in member.ports if p.protocol == "tcp"}
    referred = sorted({r.port for r in callers if r.port in tcp and r.port is not None})
    if referred:
        return referred[0]
    published = [p.target for p in member.service.ports if p.protocol == "tcp"]
    return published[0] if len(set(published)) == 1 else None


def _labelled(member: Member, check: Healthcheck | None, notes: Notes) -> Health | None:
    """H2: `kompose.service.healthcheck.{liveness,readiness}.*`."""
    prefix = "kompose.service.healthcheck."
    said = {k.removeprefix(prefix): v for k, v in member.service.labels.items() if k.startswith(prefix)}
    if raw := probes_of(member.service.labels):
        notes.decide("health", "as labelled", "H2", "label katenary.v3/health-check")
        readiness, liveness, startup = (_raw_probe(raw.get(n), check) for n in ("readinessProbe", "livenessProbe", "startupProbe"))
        return Health(readiness=readiness, liveness=liveness, startup=startup)
    if not said:
        return None
    if said.get("readiness.disable", "").lower() == "true":
        said = {k: v for k, v in said.items() if not k.startswith("readiness.")}
    readiness = _probe_of(said, "readiness.", check)
    liveness = _probe_of(said, "liveness.", check)
    notes.decide("health", "as labelled", "H2", "kompose.service.healthcheck labels")
    startup = startup_of(check, dict(liveness.handler)) if liveness is not None else None
    return Health(readiness=readiness, liveness=liveness, startup=startup)


_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")


def _raw_probe(said: Mapping[str, Any] | None, check: Healthcheck | None) -> Probe | None:
    """A probe that a label writes as the API does."""
    handler = {k: v for k, v in (said or {}).items() if k in _HANDLERS and isinstance(v, dict)}
    if said is None or len(handler) != 1:
        return None
    timings = {k: v for k, v in said.items() if isinstance(v, int) and v > 0}
    return Probe(
        handler=handler,
        period_s=timings.get("periodSeconds", _period(check)),
        timeout_s=timings.get("timeoutSeconds", _timeout(check)),
        failures=timings.get("failureThreshold", _retries(check)),
    )


def _probe_of(said: dict[str, str], prefix: str, check: Healthcheck | None) -> Probe | None:
    own = {k.removeprefix(prefix): v for k, v in said.items() if k.startswith(prefix)}
    handler: dict[str, Any] | None = None
    if own.get("http_get_port", "").isdigit():
        handler = {"httpGet": {"path": own.get("http_get_path") or "/", "port": int(own["http_get_port"])}}
    elif own.get("tcp_port", "").isdigit():
        handler = {"tcpSocket": {"port": int(own["tcp_port"])}}
    elif own.get("test"):
        words, _ = split_command(own["test"])
        if words and words[0] in ("CMD", "CMD-SHELL"):
            handler = exec_of((words[0], *words[1:]))
        else:
            handler = exec_of(("CMD-SHELL", own["test"]))
    if handler is None:
        return None
    period = duration_ns(own.get("interval", ""))
    timeout = duration_ns(own.get("timeout", ""))
    retries = own.get("retries", "")
    return Probe(
        handler=handler,
        period_s=max(1, math.ceil(period / 1e9)) if period else _period(check),
        timeout_s=max(1, math.ceil(timeout / 1e9)) if timeout else _timeout(check),
        failures=max(1, int(retries)) if retries.isdigit() else _retries(check),
    )
