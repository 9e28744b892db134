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
from migrate.plan.http_checks import as_http_get
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
    if (labelled := _labelled(member, check, test, answers, notes)) is not None:
        return notes.done(labelled)
    handler, rule, from_image = _handler(member, check, test, answers)
    if handler is not None:
        timed = _timed(check, member) if from_image else check
        found = _from_check(member, timed, handler, rule, from_image, one_shot, answers, notes)
        return notes.done(replace(found, startup=found.startup or startup_of(timed, handler)) if sidecar else found)
    if one_shot or answers.of(member.service.name, "defaultProbe") == "none" or member.service.network_mode == "host":
        return notes.done(Health())
    port = _default_port(member, list(callers))
    if port is None:
        return notes.done(Health())
    notes.find("MIG602", f"ready when port {port} accepts connections", action=Action.ASSUMED)
    notes.decide("health", f"readiness: tcp {port}", "H5", "no health check is said, and others use this port")
    return notes.done(Health(readiness=Probe(handler={"tcpSocket": {"port": port}}, period_s=10, timeout_s=2, failures=3)))


def _handler(
    member: Member, check: Healthcheck | None, test: tuple[str, ...] | None, answers: Answers
) -> tuple[dict[str, Any] | None, str, bool]:
    """What asks (None: nothing), by which rule, and whether the Dockerfile says it."""
    by_http = answers.of(member.service.name, "probes") == "http"
    said = test if test is not None else check.test if check is not None else None
    if said:
        return (as_http_get(said) if by_http else None) or exec_of(said), "H3", False
    if member.dockerfile is not None and member.dockerfile.healthcheck and member.dockerfile.healthcheck[0] != "NONE":
        asked = member.dockerfile.healthcheck
        return (as_http_get(asked) if by_http else None) or exec_of(asked), "H4", True
    return None, "", False


def _timed(check: Healthcheck | None, member: Member) -> Healthcheck:
    """H4: the times of the Dockerfile, below those that the Compose file says."""
    written = member.dockerfile.timings if member.dockerfile is not None else {}

    def seconds(name: str, said: float | None) -> float | None:
        nanoseconds = duration_ns(written.get(name, ""))
        return said if said is not None else nanoseconds / 1e9 if nanoseconds else None

    retries = written.get("retries", "")
    return Healthcheck(
        test=None,
        interval_s=seconds("interval", check.interval_s if check else None),
        timeout_s=seconds("timeout", check.timeout_s if check else None),
        retries=check.retries if check and check.retries is not None else int(retries) if retries.isdigit() else None,
        start_period_s=seconds("start-period", check.start_period_s if check else None),
        start_interval_s=seconds("start-interval", check.start_interval_s if check else None),
        disable=False,
        span=check.span if check else member.service.span,
    )


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
    notes.decide(
        "health", f"readiness: {next(iter(handler))}", rule, "the health check says when it can serve", check.span if check else None
    )
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
    notes.decide("liveness", next(iter(handler)), "H3", "asked for by the plan or autoheal", check.span if check else None)
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


_PREFIX: Final = "kompose.service.healthcheck."
_LABELS: Final = frozenset(
    f"{probe}.{key}"
    for probe in ("liveness", "readiness")
    for key in ("disable", "test", "interval", "timeout", "retries", "start_period", "http_get_path", "http_get_port", "tcp_port")
)
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")


def _labelled(member: Member, check: Healthcheck | None, test: tuple[str, ...] | None, answers: Answers, notes: Notes) -> Health | None:
    """H2: `kompose.service.healthcheck.{liveness,readiness}.*` and katenary's probes; readiness that they leave open is H3's."""
    if raw := probes_of(member.service.labels):
        notes.decide("health", "as labelled", "H2", "label katenary.v3/health-check")
        readiness, liveness, startup = (_raw_probe(raw.get(n), check) for n in ("readinessProbe", "livenessProbe", "startupProbe"))
        return Health(readiness=readiness, liveness=liveness, startup=startup)
    said = {k.removeprefix(_PREFIX): v for k, v in member.service.labels.items() if k.startswith(_PREFIX)}
    for key in [k for k in said if k not in _LABELS]:
        notes.find("MIG034", f"label {_PREFIX}{key} is unknown", "labels", f"{_PREFIX}{key}", action=Action.REFUSED)
        del said[key]
    if not said:
        return None
    off = said.get("readiness.disable", "").lower() == "true"
    readiness = None if off else _probe_of(said, "readiness.", check, notes)
    liveness = _probe_of(said, "liveness.", check, notes)
    notes.decide("health", "as labelled", "H2", "kompose.service.healthcheck labels")
    if readiness is None and not off:
        handler, _, _ = _handler(member, check, test, answers)
        if handler is not None:
            readiness = Probe(handler=handler, period_s=_period(check), timeout_s=_timeout(check), failures=_retries(check))
            notes.find("MIG601", "readiness from the health check", "healthcheck", action=Action.MAPPED)
    startup = startup_of(check, dict(liveness.handler)) if liveness is not None else None
    return Health(readiness=readiness, liveness=liveness, startup=startup)


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
        initial_delay_s=timings.get("initialDelaySeconds", 0),
        successes=timings.get("successThreshold", 1),
    )


def _probe_of(said: dict[str, str], prefix: str, check: Healthcheck | None, notes: Notes) -> Probe | None:
    own = {k.removeprefix(prefix): v for k, v in said.items() if k.startswith(prefix)}

    def port(key: str) -> int | None:
        text = own.get(key)
        if text is None or (text.isdigit() and 0 < int(text) < 65536):
            return int(text) if text is not None else None
        _bad(notes, prefix, key, f"{text!r} is no port")
        return None

    def seconds(key: str) -> int | None:
        nanoseconds = duration_ns(own.get(key, ""))
        if key in own and not nanoseconds and own[key] not in ("0", "0s"):
            _bad(notes, prefix, key, f"{own[key]!r} is no duration")
        return math.ceil(nanoseconds / 1e9) if nanoseconds else None

    handler: dict[str, Any] | None = None
    if (number := port("http_get_port")) is not None:
        handler = {"httpGet": {"path": own.get("http_get_path") or "/", "port": number}}
    elif (number := port("tcp_port")) is not None:
        handler = {"tcpSocket": {"port": number}}
    elif own.get("test"):
        words, _ = split_command(own["test"])
        formed = words is not None and words[:1] in (["CMD"], ["CMD-SHELL"])
        handler = exec_of(tuple(words or ()) if formed else ("CMD-SHELL", own["test"]))
    if handler is None:
        return None
    retries = own.get("retries", "")
    if retries and not retries.isdigit():
        _bad(notes, prefix, "retries", f"{retries!r} is no number")
    return Probe(
        handler=handler,
        period_s=seconds("interval") or _period(check),
        timeout_s=seconds("timeout") or _timeout(check),
        failures=max(1, int(retries)) if retries.isdigit() else _retries(check),
        initial_delay_s=seconds("start_period") or 0,
    )


def _bad(notes: Notes, prefix: str, key: str, why: str) -> None:
    notes.find("MIG034", f"label {_PREFIX}{prefix}{key}: {why}", "labels", f"{_PREFIX}{prefix}{key}", action=Action.REFUSED)
