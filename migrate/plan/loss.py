"""Loss is never silent: every Compose key that is present is either carried by a question or has a finding (compose-keys.tsv)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from migrate.description import description
from migrate.findings import Action, Finding
from migrate.plan.decision import Answers, Notes
from migrate.plan.katenary import READ as KATENARY
from migrate.plan.spelling import key_path
from migrate.stack import Stack

CARRIED: Final = frozenset(
    (
        "annotations", "build", "cap_add", "cap_drop", "command", "configs", "container_name", "cpu_count", "cpu_period", "cpu_quota",
        "cpu_shares", "cpus", "depends_on", "deploy", "devices", "dns", "dns_opt", "dns_search", "domainname", "entrypoint", "env_file",
        "environment", "expose", "extends", "external_links", "extra_hosts", "gpus", "group_add", "healthcheck", "hostname", "image",
        "init", "ipc", "label_file", "labels", "links", "mac_address", "mem_limit", "mem_reservation", "models", "network_mode",
        "networks", "pid", "platform", "ports", "post_start", "pre_start", "pre_stop", "privileged", "profiles", "provider",
        "pull_policy", "read_only", "restart", "runtime", "scale", "secrets", "security_opt", "shm_size", "stdin_open",
        "stop_grace_period", "stop_signal", "storage_opt", "sysctls", "tmpfs", "tty", "use_api_socket", "user", "volumes", "volumes_from",
        "working_dir",
    )
)  # fmt: skip
"""Service keys that a question answers, with its own findings for what is lost of them."""

READ_LABELS: Final = frozenset(
    (
        "kompose.cmd", "kompose.controller.port.expose", "kompose.controller.type", "kompose.cronjob.backoff_limit",
        "kompose.cronjob.concurrency_policy", "kompose.cronjob.schedule", "kompose.ephemeral-storage.limit",
        "kompose.ephemeral-storage.request", "kompose.image-pull-policy", "kompose.image-pull-secret", "kompose.init.containers.command",
        "kompose.init.containers.image", "kompose.init.containers.name", "kompose.security-context.fsgroup", "kompose.service.expose",
        "kompose.service.expose.ingress-class-name", "kompose.service.expose.tls-secret", "kompose.service.external-traffic-policy",
        "kompose.service.group", "kompose.service.name_override", "kompose.service.nodeport.port", "kompose.service.type",
        "kompose.serviceaccount-name", "kompose.version", "kompose.volume.selector", "kompose.volume.size",
        "kompose.volume.storage-class-name", "kompose.volume.subpath", "kompose.volume.type",
    )
)  # fmt: skip
"""Labels of other converters that some question reads (peer-converters.md, section 2)."""

_DEFAULTS: Final[Mapping[str, object]] = {"attach": True, "oom_kill_disable": False, "tty": False, "stdin_open": False, "oom_score_adj": 0}


@description
class KeyRule:
    """One line of compose-keys.tsv: what becomes of a key path."""

    path: str
    action: str
    target: str
    severity: str | None
    finding: str | None
    note: str


@cache
def key_rules() -> Mapping[str, KeyRule]:
    """The table by key path (`*` for any key, `[]` for any item).

    >>> key_rules()["services.*.logging"].finding
    'MIG911'
    """
    lines = (Path(__file__).parents[1] / "data" / "compose-keys.tsv").read_text(encoding="utf-8").splitlines()[1:]
    found = {}
    for line in lines:
        path, action, target, severity, finding, note = (line.split("\t") + [""] * 6)[:6]
        found[path] = KeyRule(
            path=path,
            action=action,
            target=target,
            severity=None if severity in ("", "-") else severity,
            finding=None if finding in ("", "-") else finding,
            note=note,
        )
    return found


def find_losses(stack: Stack, raised: Iterable[Finding], answers: Answers) -> tuple[Finding, ...]:
    """Findings for what no question carries and none has told yet. `raised` are the findings of the questions."""
    notes = Notes(stack.project)
    told = {f.path for f in raised if f.path is not None}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        for key, value in member.service.data.items():
            if key.startswith("x-"):
                if key != "x-compose-cutover":
                    own.find("MIG913", f"extension {key}", key, action=Action.DROPPED)
            elif not _says_nothing(key, value):
                _service_key(own, name, key, value, told)
        _partial(own, member.service.data)
        _converter_labels(own, member.service.labels)
        _misplaced_labels(own, member.service.data)
    _project(stack, notes, answers)
    return tuple(notes.findings)


def _says_nothing(key: str, value: object) -> bool:
    return value is None or value == [] or value == {} or (key in _DEFAULTS and value == _DEFAULTS[key])


def _service_key(notes: Notes, service: str, key: str, value: object, told: set[str]) -> None:
    """A key that no question carries: the finding that the table names for it, once."""
    if key in CARRIED or key_path("services", service, key) in told:
        return
    rule = key_rules().get(f"services.*.{key}")
    if rule is not None and rule.finding is not None:
        action = Action.REFUSED if rule.action == "refused" else Action.DROPPED
        notes.find(rule.finding, _text(key, value, rule), key, action=action, advice=_ADVICE.get(key))
    else:
        notes.find("MIG006", f"key {key} has no place in this conversion", key, action=Action.DROPPED)


_ADVICE: Final[Mapping[str, str]] = {
    "ulimits": "the limits of the container runtime hold; memlock and rtprio: cap_add IPC_LOCK, SYS_RESOURCE",
}


def _text(key: str, value: object, rule: KeyRule) -> str:
    """What is lost: the key and, of a mapping, its own keys; never a value."""
    keys = f" ({', '.join(str(k) for k in value)})" if isinstance(value, Mapping) and value else ""
    note = f": {rule.note}" if rule.note not in ("", "-") and not rule.note.startswith("covered") else ""
    return f"key {key}{keys} is not carried over{note}"


def _converter_labels(notes: Notes, labels: Mapping[str, str]) -> None:
    for key in labels:
        read = key in READ_LABELS or key in KATENARY or key.startswith(("kompose.service.healthcheck.", "kompose.hpa."))
        if key.startswith(("kompose.", "katenary.")) and not read:
            notes.find("MIG910", f"label {key} is for another converter and says nothing here", "labels", key, action=Action.DROPPED)


def _misplaced_labels(notes: Notes, data: Mapping[str, Any]) -> None:
    """Labels of other converters stand on the service; of `deploy.labels` they read two."""
    for key in (data.get("deploy") or {}).get("labels") or ():
        if str(key).startswith(("kompose.", "katenary.")) and not str(key).startswith("kompose.ephemeral-storage."):
            text = f"label {key} says nothing under deploy: it belongs to the labels of the service"
            notes.find("MIG910", text, "deploy", "labels", str(key), action=Action.DROPPED)


def _partial(notes: Notes, data: Mapping[str, Any]) -> None:
    """Sub-keys of carried keys that are lost by the table and that no question tells."""
    deploy = data.get("deploy") or {}
    policy = deploy.get("restart_policy") or {}
    for key in ("delay", "window"):
        if policy.get(key) is not None:
            text = f"restart_policy.{key}: the kubelet backs off by its own times"
            notes.find("MIG119", text, "deploy", "restart_policy", key, action=Action.DROPPED)
    if policy.get("max_attempts") is not None:
        notes.find("MIG119", "restart_policy.max_attempts counts for a Job alone", "deploy", "restart_policy", "max_attempts")
    if ((deploy.get("resources") or {}).get("limits") or {}).get("pids"):
        notes.find(
            "MIG709", "a limit of processes is a setting of the kubelet", "deploy", "resources", "limits", "pids", action=Action.DROPPED
        )
    for index, mount in enumerate(data.get("volumes") or ()):
        if isinstance(mount, Mapping) and mount.get("consistency"):
            notes.find("MIG916", "consistency has no effect", "volumes", index, "consistency", action=Action.DROPPED)


def _project(stack: Stack, notes: Notes, answers: Answers) -> None:
    for name in stack.project.unselected:
        span = stack.project.unselected_spans.get(name)
        notes.find("MIG912", f"service {name} is selected by no active profile", "services", name, action=Action.DROPPED, span=span)
    for key in stack.project.extensions:
        if key != "x-compose-cutover":
            notes.find("MIG913", f"extension {key}", key, action=Action.DROPPED)
    known = answers.project.get("models") or {}
    for key, model in stack.project.models.items():
        if not (known.get(key) or {}).get("endpoint"):
            notes.find("MIG917", f"model {key} is not run in the cluster", "models", key, action=Action.DROPPED, span=model.span)


def walk_keys(data: Any, path: str = "") -> Iterator[str]:
    """Every key path of plain data in the spelling of the table.

    >>> sorted(walk_keys({"services": {"web": {"ports": [{"target": 80}]}}}))
    ['services', 'services.*', 'services.*.ports', 'services.*.ports[].target']
    """
    if isinstance(data, Mapping):
        for key, value in data.items():
            step = key if f"{path}.{key}".lstrip(".") in key_rules() else "*"
            below = f"{path}.{step}".lstrip(".")
            yield below
            yield from walk_keys(value, below)
    elif isinstance(data, (list, tuple)):
        for item in data:
            yield from walk_keys(item, f"{path}[]")
