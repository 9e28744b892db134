"""Stopping, hooks, updates and scaling (conversion.md 2.13): grace, preStop, U1 to U4, disruption budget, HPA."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from migrate.compose.units import duration_ns
from migrate.findings import Action
from migrate.patterns import late
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.types import Autoscaler, Lifecycle, Scale, Update, Workload
from migrate.stack import Member, Stack

DRAIN_S: Final = 5
_API_GRACE_S: Final = 30
_SIGNALS: Final = late(r"(SIG)?([A-Z][A-Z0-9+-]*|\d{1,2})", re.IGNORECASE)


def decide_lifecycle(
    stack: Stack, member: Member, workload: Workload, hooks: Mapping[str, str], behind: bool, answers: Answers
) -> Decided[Lifecycle]:
    """Hooks and grace of one container.

    `hooks` are rewritten words by their key (`post_start/0/command/2`). `behind`: it answers behind a ClusterIP or published Service,
    whose endpoints lag.
    """
    notes = Notes(stack.project, member.service)
    data = member.service.data
    grace = _grace(data.get("stop_grace_period"), notes)
    if data.get("init"):
        notes.find("MIG611", "init: true has no equivalent", "init", action=Action.DROPPED)
    stop_steps = _hooks(data.get("pre_stop"), "pre_stop", hooks, notes)
    start_steps = _hooks(data.get("post_start"), "post_start", hooks, notes)
    signal = _signal(member)
    field = signal if signal is not None and _as_field(member, answers, notes) else None
    pre_stop = None
    if signal is not None and field is None:
        seconds = grace if grace is not None else _API_GRACE_S
        notes.find("MIG610", f"stop signal {signal} is sent by a preStop hook", "stop_signal")
        notes.decide("stopSignal", signal, "2.13", "the kubelet sends SIGTERM", notes.span("stop_signal"))
        sent = f"kill -s {signal.removeprefix('SIG')} 1; sleep {seconds}"
        pre_stop = _shell(f"{stop_steps}; {sent}" if stop_steps else sent)
    elif stop_steps:
        pre_stop = _shell(stop_steps)
    elif behind and workload.kind == "Deployment":
        drain = _drain(member, answers, notes)
        pre_stop = {"sleep": {"seconds": drain}} if drain else None
        grace = grace + drain if grace is not None else None
    post_start = _shell(start_steps) if start_steps else None
    return notes.done(Lifecycle(pre_stop=pre_stop, post_start=post_start, grace_s=grace, stop_signal=field))


def _shell(text: str) -> dict[str, Any]:
    return {"exec": {"command": ["/bin/sh", "-c", text]}}


def _as_field(member: Member, answers: Answers, notes: Notes) -> bool:
    """Whether the plan wants the field `lifecycle.stopSignal`, and the target version has it (2.16)."""
    if answers.of(member.service.name, "stopSignal") != "field":
        return False
    if not answers.at_least("1.33"):
        notes.find("MIG953", "lifecycle.stopSignal came with 1.33: a hook sends the signal", "stop_signal")
        return False
    notes.decide("stopSignal", "lifecycle.stopSignal", "2.16", "said by the plan", notes.span("stop_signal"))
    return True


def _drain(member: Member, answers: Answers, notes: Notes) -> int:
    """Seconds that a pod goes on after it is told to stop, because endpoints lag behind SIGTERM."""
    drain = int(answers.of(member.service.name, "drain", DRAIN_S))
    if drain > 0 and not answers.at_least("1.30"):
        notes.find("MIG953", "lifecycle.preStop.sleep came with 1.30: left out", action=Action.DROPPED)
        return 0
    if drain > 0:
        notes.find("MIG614", f"waits {drain} s before it stops, so that no request reaches a stopping pod", action=Action.ASSUMED)
        notes.decide("drain", f"{drain} s", "2.13", "endpoints lag behind SIGTERM")
    return drain


def _grace(text: Any, notes: Notes) -> int | None:
    nanoseconds = duration_ns(str(text)) if text is not None else None
    if nanoseconds is None or nanoseconds < 0:
        return None
    seconds = math.ceil(nanoseconds / 1e9)
    if seconds * 10**9 != nanoseconds:
        notes.find("MIG604", f"stop_grace_period {text} becomes {seconds} s", "stop_grace_period")
    return seconds


def _signal(member: Member) -> str | None:
    said = str(member.service.data.get("stop_signal") or "").upper()
    if not said or not _SIGNALS.fullmatch(said):
        return None
    image = str((member.dockerfile.stop_signal if member.dockerfile else None) or "").upper()
    bare = said.removeprefix("SIG")
    return None if bare in ("TERM", "15") or bare == image.removeprefix("SIG") else said


def _hooks(steps: Any, key: str, rewritten: Mapping[str, str], notes: Notes) -> str | None:
    """The steps of a hook as one shell text."""
    if not isinstance(steps, (list, tuple)) or not steps:
        return None
    parts = []
    for index, step in enumerate(steps):
        for what in ("user", "privileged"):
            if step.get(what):
                notes.find("MIG613", f"{key} runs as the container's user, with its rights", key, index, what, action=Action.DROPPED)
        words = step.get("command") or []
        listed = [words] if isinstance(words, str) else words
        text = " ".join(_word(str(w), rewritten.get(f"{key}/{index}/command/{n}")) for n, w in enumerate(listed))
        environment = step.get("environment") or {}
        pairs = environment.items() if isinstance(environment, Mapping) else (str(e).partition("=")[::2] for e in environment)
        assigned = "".join(f"{k}={shlex.quote(str(v))} " for k, v in pairs if v is not None)
        directory = f"cd {shlex.quote(str(step['working_dir']))} && " if step.get("working_dir") else ""
        if text:
            parts.append(f"{directory}{assigned}{text}" if len(steps) == 1 else f"({directory}{assigned}{text})")
    if not parts:
        return None
    name = "preStop" if key == "pre_stop" else "postStart"
    notes.find("MIG612", f"{key} became {name}", key, action=Action.MAPPED)
    return " && ".join(parts)


def decide_scale(
    stack: Stack,
    member: Member,
    workload: Workload,
    needs_recreate: str | None,
    resources: Mapping[str, Mapping[str, str]],
    answers: Answers,
) -> Decided[Scale]:
    """Update strategy, autoscaler and budget of one workload. `needs_recreate` tells why two pods must not run side by side (U2)."""
    notes = Notes(stack.project, member.service)
    if workload.kind not in ("Deployment", "StatefulSet"):
        _no_autoscaler(member, workload, notes)
    if workload.kind not in ("Deployment", "StatefulSet", "DaemonSet"):
        return notes.done(Scale())
    update = _update(member, workload, needs_recreate, answers, notes)
    autoscaler = _autoscaler(member, workload, resources, answers, notes)
    replicas = autoscaler.minimum if autoscaler else workload.replicas or 0
    budget = replicas >= 2 and workload.kind != "DaemonSet"
    if budget:
        notes.find("MIG623", "node drains take one pod at a time", action=Action.ASSUMED)
        notes.decide("budget", "maxUnavailable 1", "2.13", "several replicas")
    return notes.done(Scale(update=update, autoscaler=autoscaler, budget=budget))


def _no_autoscaler(member: Member, workload: Workload, notes: Notes) -> None:
    label = next((k for k in member.service.labels if k.startswith("kompose.hpa.")), None)
    if label is not None:
        what = (
            "a member of another pod" if workload.kind == "member" else "no workload" if workload.kind == "none" else f"a {workload.kind}"
        )
        notes.find("MIG625", f"{label}: {what} cannot be scaled by load", "labels", label, action=Action.DROPPED)


def _update(member: Member, workload: Workload, needs_recreate: str | None, answers: Answers, notes: Notes) -> Update:
    deploy = member.service.data.get("deploy") or {}
    config = deploy.get("update_config")
    _lost_details(deploy, notes)
    answer = answers.services.get(member.service.name, {}).get("update")
    min_ready = _min_ready(config or {}, notes)
    if isinstance(answer, Mapping):
        notes.decide("update", ", ".join(f"{k} {v}" for k, v in answer.items()), "plan", "said by the plan")
        return _answered(answer, min_ready)
    deadline = min_ready + 600 if min_ready is not None and min_ready >= 600 else None
    timed = Update(min_ready_s=min_ready, progress_deadline_s=deadline)
    if workload.kind != "Deployment":
        notes.decide("update", "RollingUpdate", "U1", f"a {workload.kind}")
        _no_place(config or {}, f"a {workload.kind} replaces its pods one by one", notes)
        return Update(min_ready_s=min_ready)
    if needs_recreate is not None:
        _no_place(config or {}, "all pods are replaced at once", notes)
        notes.find("MIG620", f"Recreate: {needs_recreate}", action=Action.MAPPED)
        notes.decide("update", "Recreate", "U2", needs_recreate)
        return replace(timed, recreate=True)
    if config:
        parallelism = int(config.get("parallelism", 1))
        start_first = config.get("order") == "start-first"
        notes.decide(
            "update",
            f"{'start' if start_first else 'stop'}-first, {parallelism}",
            "U3",
            "update_config",
            notes.span("deploy", "update_config"),
        )
        if start_first:
            return replace(timed, max_surge=parallelism or "100%", max_unavailable=0)
        if parallelism == 0:
            return replace(timed, recreate=True)
        return replace(timed, max_surge=0, max_unavailable=parallelism)
    notes.find("MIG626", "during an update the old and the new version run together", action=Action.MAPPED)
    notes.decide("update", "the API's defaults", "U4", "nothing is said")
    return timed


def _no_place(config: Mapping[str, Any], why: str, notes: Notes) -> None:
    for key in ("parallelism", "order"):
        if config.get(key) is not None:
            notes.find("MIG622", f"update_config.{key} is lost: {why}", "deploy", "update_config", key, action=Action.DROPPED)


def _answered(answer: Mapping[str, Any], min_ready: int | None) -> Update:
    ready = answer.get("minReadySeconds", min_ready)
    deadline = answer.get("progressDeadlineSeconds")
    if deadline is None and ready is not None and ready >= 600:
        deadline = ready + 600
    if answer.get("strategy") == "Recreate":
        return Update(recreate=True, min_ready_s=ready, progress_deadline_s=deadline)
    surge, unavailable = answer.get("maxSurge"), answer.get("maxUnavailable")
    return Update(max_surge=surge, max_unavailable=unavailable, min_ready_s=ready, progress_deadline_s=deadline)


def _lost_details(deploy: Mapping[str, Any], notes: Notes) -> None:
    config = deploy.get("update_config") or {}
    if config.get("failure_action") == "rollback":
        notes.find("MIG621", "no controller rolls back by itself", "deploy", "update_config", "failure_action", action=Action.DROPPED)
    elif config.get("failure_action"):
        notes.find("MIG622", "failure_action has no equivalent", "deploy", "update_config", "failure_action", action=Action.DROPPED)
    if config.get("max_failure_ratio") is not None:
        notes.find("MIG622", "max_failure_ratio has no equivalent", "deploy", "update_config", "max_failure_ratio", action=Action.DROPPED)
    for key in ("delay", "monitor"):
        if config.get(key):
            notes.find("MIG622", f"update_config.{key} became minReadySeconds", "deploy", "update_config", key)
    for key in deploy.get("rollback_config") or ():
        notes.find("MIG622", f"rollback_config.{key} has no equivalent", "deploy", "rollback_config", key, action=Action.DROPPED)


def _min_ready(config: Mapping[str, Any], notes: Notes) -> int | None:
    seconds = [math.ceil((duration_ns(str(config[k])) or 0) / 1e9) for k in ("delay", "monitor") if config.get(k)]
    return max(seconds) or None if seconds else None


def _word(word: str, rewritten: str | None) -> str:
    """A word as shell text; one with an address of the pod keeps its variable."""
    if rewritten is None:
        return shlex.quote(word)
    if "$POD_IP" not in rewritten and "$HOST_IP" not in rewritten:
        return shlex.quote(rewritten)
    parts = re.split(r"(\$(?:POD_IP|HOST_IP))", rewritten)
    return "".join(f'"{p}"' if p.startswith(("$POD_IP", "$HOST_IP")) else shlex.quote(p) for p in parts if p)


_HPA_LABELS: Final[Sequence[tuple[str, str, int]]] = (
    ("min", "kompose.hpa.replicas.min", 1),
    ("max", "kompose.hpa.replicas.max", 3),
    ("cpu", "kompose.hpa.cpu", 50),
    ("memory", "kompose.hpa.memory", 70),
)


def _autoscaler(
    member: Member, workload: Workload, resources: Mapping[str, Mapping[str, str]], answers: Answers, notes: Notes
) -> Autoscaler | None:
    labels = member.service.labels
    answer = answers.services.get(member.service.name, {}).get("hpa")
    by_label = any(k.startswith("kompose.hpa.") for k in labels)
    if workload.kind == "DaemonSet" or not (isinstance(answer, Mapping) or by_label):
        return None
    said: dict[str, int | None] = {}
    for key, label, default in _HPA_LABELS:
        if isinstance(answer, Mapping):
            said[key] = answer.get(key, default if key in ("min", "max") else None)
        else:
            text = labels.get(label, str(default))
            said[key] = int(text) if text.isdigit() else default
            if not text.isdigit():
                notes.find("MIG625", f"{label} is no number; {default} is taken", "labels", label, action=Action.ASSUMED)
    for key in ("cpu", "memory"):
        value = said[key]
        if value is not None and not 1 <= value <= 100 and by_label and not isinstance(answer, Mapping):
            notes.find("MIG625", f"{key} target {value} % is not between 1 and 100", "labels", action=Action.ASSUMED)
            said[key] = 50 if key == "cpu" else 70
    if said["cpu"] is None and said["memory"] is None:
        said["cpu"] = 50
    minimum, maximum = max(1, said["min"] or 1), said["max"] or 3
    if maximum < minimum:
        notes.find("MIG625", f"max {maximum} is below min {minimum}; {minimum} is taken", action=Action.ASSUMED)
        maximum = minimum
    requests = {**resources.get("limits", {}), **resources.get("requests", {})}
    missing = [k for k in ("cpu", "memory") if said[k] is not None and k not in requests]
    if missing:
        notes.find("MIG624", f"no request for {' and '.join(missing)}: the target is never known")
    notes.decide("hpa", f"{minimum}..{maximum}", "plan" if isinstance(answer, Mapping) else "2.13", "said by the plan or labels")
    return Autoscaler(minimum=minimum, maximum=maximum, cpu_percent=said["cpu"], memory_percent=said["memory"])
