"""What a container reads from outside (conversion.md 2.7): environment E1 to E4, command; its files are carried by `carried`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from migrate.addresses.types import RewrittenService
from migrate.description import description
from migrate.findings import Action
from migrate.patterns import late
from migrate.plan.carried import HOST_IP, IN_CLEAR, POD_IP, Carrier, Objects
from migrate.plan.contents import Content
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.escaping import escaped
from migrate.plan.katenary import mapped_variables, scheduled_of, secret_variables
from migrate.plan.spelling import object_name, object_names
from migrate.plan.types import DataObject, EnvEntry, Settings
from migrate.stack import Member, Stack
from migrate.stack.data import knowledge, pattern

_SCRIPTS: Final = frozenset({"healthcheck", "command", "file", "config", "build"})
_DATA_KEY: Final = late(r"[-._a-zA-Z0-9]{1,253}")
_OLD_NAME: Final = late(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_NEW_NAME: Final = late(r"[^=\x00-\x1f\x7f]+", re.ASCII)
_PASSWORD_URL: Final = late(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)


def decide_settings(
    stack: Stack,
    texts: Mapping[str, RewrittenService],
    contents: Mapping[str, Content],
    objects: Mapping[str, str],
    variables: Mapping[str, Mapping[str, str]],
    answers: Answers,
) -> Decided[tuple[Mapping[str, Settings], tuple[DataObject, ...]]]:
    """The settings of every service, and the ConfigMaps and Secrets in the order of their first use.

    `texts` are the rewritten texts, `contents` the files on the disk, `objects` service key -> object name, `variables` by service those
    that Compose itself would set.
    """
    notes = Notes(stack.project)
    project = stack.project
    made = Objects(configs=object_names(project.configs), secrets=object_names(project.secrets))
    _one_name(notes, "configs", made.configs)
    _one_name(notes, "secrets", made.secrets)
    scripts: dict[str, list[str]] = {}
    for text in stack.texts:
        if text.service is not None and text.place in _SCRIPTS:
            scripts.setdefault(text.service, []).append(text.text)
    found: dict[str, Settings] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        environment = _environment(member, texts[name], variables.get(name, {}), objects[name], answers, own, made)
        carrier = Carrier(stack, member, texts[name], contents, objects[name], answers, own, made, tuple(scripts.get(name, ())))
        carrier.carry()
        found[name] = _settings(member, texts[name], environment, carrier)
    return notes.done((found, tuple(made.made.values())))


def _one_name(notes: Notes, section: str, names: Mapping[str, str]) -> None:
    """N2: keys that were told apart."""
    for key, name in names.items():
        if name != object_name(key):
            text = f"{section[:-1]} {key} is called {name}: another one becomes {object_name(key)} too"
            notes.find("MIG102", text, section, key, action=Action.REWRITTEN)


def _settings(member: Member, texts: RewrittenService, environment: _Environment, carrier: Carrier) -> Settings:
    data = member.service.data
    scheduled = str((scheduled_of(member.service.labels) or {}).get("command") or "")
    return Settings(
        env=environment.entries,
        env_from=environment.sources,
        command=("/bin/sh", "-c", escaped(scheduled)) if scheduled else _words(texts.entrypoint),
        args=None if scheduled else _words(texts.command),
        working_dir=data.get("working_dir"),
        stdin=bool(data.get("stdin_open")),
        tty=bool(data.get("tty")),
        volumes=tuple(carrier.volumes),
        mounts=tuple(carrier.mounts),
        init=tuple(carrier.init),
        external=tuple(dict.fromkeys((*environment.external, *carrier.external))),
        fs_group=carrier.fs_group,
    )


def _words(said: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if said is None else tuple(escaped(word, ours=True) for word in said)


def looks_secret(name: str, value: str) -> bool:
    """E2: the name says that the value is secret, or the value is a URL with a password.

    >>> looks_secret("DB_PASSWORD", "x"), looks_secret("DB_PASSWORD_FILE", "/run/x"), looks_secret("URL", "redis://:pw@h")
    (True, False, True)
    """
    if _PASSWORD_URL.search(value):
        return True
    if pattern("secret_keys").search(name) is None or pattern("not_secret_keys").search(name) is not None:
        return False
    return value not in knowledge()["not_secret_values"]


@description
class _Environment:
    """`entries` in their order, `sources` the ConfigMaps below them, `external` what must exist beforehand."""

    entries: tuple[EnvEntry, ...]
    sources: tuple[str, ...]
    external: tuple[str, ...]


def _environment(
    member: Member,
    texts: RewrittenService,
    more: Mapping[str, str],
    called: str,
    answers: Answers,
    notes: Notes,
    objects: Objects,
) -> _Environment:
    service = member.service
    name_of_both = objects.free(f"{called}-env", service.name)
    entries: list[EnvEntry] = []
    secret: dict[str, str] = {}
    plain: dict[str, str] = {}
    is_secret = _secrecy(member, answers)
    allowed = _NEW_NAME if answers.at_least("1.32") else _OLD_NAME
    for name, value in {**more, **texts.environment, **mapped_variables(service.labels)}.items():
        variable = service.environment.get(name)
        span = variable.span if variable is not None else None
        if value is None:
            text = f"variable {name} has no value here and is left out"
            notes.find("MIG405", text, "environment", name, action=Action.DROPPED, span=span)
        elif allowed.fullmatch(name) is None:
            text = f"variable name {name!r} is not allowed by the target version"
            notes.find("MIG403", text, "environment", name, action=Action.DROPPED, span=span)
        elif (name, value) in (("POD_IP", "$(POD_IP)"), ("HOST_IP", "$(HOST_IP)")):
            continue
        elif is_secret(name, value):
            secret[name] = value
            entries.append(EnvEntry(name=name, secret=(name_of_both, name)))
            notes.find("MIG401", f"variable {name} stands in Secret {name_of_both}", "environment", name, action=Action.MAPPED, span=span)
        elif variable is not None and variable.env_file is not None and _may_be_data(name, texts):
            plain[name] = value
        else:
            entries.append(EnvEntry(name=name, value=escaped(value, ours=texts.needs_pod_ip or texts.needs_host_ip)))
    _told(entries, secret, plain, texts, notes)
    zone = answers.project.get("timezone")
    if zone and "TZ" not in texts.environment and any(m.kind == "dropped" for m in member.mounts):
        entries.append(EnvEntry(name="TZ", value=escaped(str(zone))))
    outside = answers.of(service.name, "secrets") == "external"
    if secret and not outside:
        objects.make("Secret", name_of_both, service.name, service.span, secret, {})
        notes.find("MIG402", IN_CLEAR, "environment", action=Action.MAPPED)
    if plain:
        objects.make("ConfigMap", name_of_both, service.name, service.span, plain, {})
    first = [*([POD_IP] if texts.needs_pod_ip else []), *([HOST_IP] if texts.needs_host_ip else [])]
    taken = {e.name for e in first}
    return _Environment(
        entries=(*first, *(e for e in entries if e.name not in taken)),
        sources=(name_of_both,) if plain else (),
        external=(f"secret/{name_of_both}",) if secret and outside else (),
    )


def _told(entries: list[EnvEntry], secret: Mapping[str, str], plain: Mapping[str, str], texts: RewrittenService, notes: Notes) -> None:
    """What became of the variables, by rule; names only."""
    unset = [k for k, v in texts.environment.items() if v is None]
    literal = [e.name for e in entries if e.secret is None]
    kinds = (
        ("E1", unset, "left out", "they have no value here"),
        ("E2", list(secret), "in a Secret", "their names or values look secret"),
        ("E3", list(plain), "in a ConfigMap", "they come from env files, and nothing in them is rewritten"),
        ("E4", literal, "literal", "the kubelet expands the pod's address in literals alone"),
    )
    for rule, names, outcome, reason in kinds:
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            notes.decide("environment", f"{outcome}: {', '.join(names[:5])}{more}", rule, reason, notes.span("environment"))


def _secrecy(member: Member, answers: Answers) -> Callable[[str, str], bool]:
    """E2 with what the plan and labels say. A value with the pod's address must stay a literal: Secret data are not expanded."""
    plain = set(answers.of(member.service.name, "plain", ()) or ())
    said = secret_variables(member.service.labels)

    def is_secret(name: str, value: str) -> bool:
        wanted = name not in plain and (name in said or looks_secret(name, value))
        return wanted and "$(POD_IP)" not in value and _DATA_KEY.fullmatch(name) is not None

    return is_secret


def _may_be_data(name: str, texts: RewrittenService) -> bool:
    return name not in texts.changed_variables and _DATA_KEY.fullmatch(name) is not None and _OLD_NAME.fullmatch(name) is not None
