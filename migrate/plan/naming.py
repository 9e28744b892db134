"""Which names objects get and which names keep answering (conversion.md 2.3, rules N1 to N7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from migrate.compose.model import Service
from migrate.findings import Action, Finding, Span
from migrate.plan.decision import Answers, Decided, Decision, Names
from migrate.plan.spelling import LONGEST_OBJECT_NAME, digits, is_label, is_pod_hostname, key_path, label, shortened
from migrate.rules import found
from migrate.stack import Stack


def decide_names(stack: Stack, answers: Answers) -> Decided[Names]:
    """The names of objects, alias Services, pod hostnames and subdomains, and which old names have to be rewritten.

    A name that several services carry is told, never refused.
    """
    work = _Work(stack=stack, answers=answers)
    work.objects.update(_object_names(stack, work))
    _hostnames(work)
    _claims(work)
    outcome = Names(
        objects=work.objects,
        aliases={name: tuple(services) for name, services in sorted(work.aliases.items())},
        rewritten=work.rewritten,
        hostnames=work.hostnames,
        subdomains=work.subdomains,
        by_pin=frozenset(work.by_pin),
    )
    return Decided(outcome=outcome, decisions=tuple(work.decisions), findings=tuple(work.findings))


@dataclass(slots=True)
class _Work:
    """Machinery of one decision: what was named so far, and what was said about it."""

    stack: Stack
    answers: Answers
    objects: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, dict[str, None]] = field(default_factory=dict)
    rewritten: dict[tuple[str, str], str] = field(default_factory=dict)
    hostnames: dict[str, str] = field(default_factory=dict)
    subdomains: dict[str, tuple[str, str]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    named: dict[tuple[str, str], dict[Span, None]] | None = None
    claimed: set[str] = field(default_factory=set)
    by_pin: set[tuple[str, str]] = field(default_factory=set)

    def tell(self, code: str, message: str, action: Action, service: str, also: tuple[Span, ...] = (), path: str | None = None) -> None:
        """A finding at the service's own line, or at that of the key of the service that `path` ends with."""
        key = (path or "").removeprefix(key_path("services", service)).lstrip(".")
        known = key in self.stack.project.services[service].data
        span = self.stack.project.spans.span("services", service, key) if known else self.stack.project.services[service].span
        self.findings.append(
            found(code, message, action=action, span=span, service=service, path=path or key_path("services", service), also=also)
        )

    def decide(self, question: str, service: str, outcome: str, rule: str, reason: str) -> None:
        """A decision with the service's own line as evidence."""
        span = self.stack.project.services[service].span
        self.decisions.append(Decision(question=question, service=service, outcome=outcome, rule=rule, reason=reason, evidence=(span,)))

    def references(self, service: str, name: str) -> tuple[Span, ...]:
        """Where `name` stands in host position and means `service`, each place once."""
        if self.named is None:
            self.named = {}
            for o in self.stack.occurrences:
                if o.kind == "name" and o.service is not None:
                    self.named.setdefault((o.service, o.token.casefold()), {}).setdefault(o.span)
        return tuple(self.named.get((service, name.casefold()), ()))


def _object_names(stack: Stack, work: _Work) -> dict[str, str]:
    """N1 and N2: the key as a label; equal results keep it for the key that needed no change."""
    wished: dict[str, list[str]] = {}
    called = {key: s.labels.get("kompose.service.name_override") or key for key, s in stack.project.services.items()}
    for key in stack.project.services:
        wished.setdefault(shortened(label(called[key]), key), []).append(key)
    names: dict[str, str] = {}
    for name, keys in wished.items():
        keeper = next((k for k in keys if k == name), keys[0])
        for key in keys:
            names[key] = name if key == keeper else f"{name[: LONGEST_OBJECT_NAME - 6]}-{digits(key)}"
        if len(keys) > 1:
            others = ", ".join(f"{k} ({names[k]})" for k in keys if k != keeper)
            work.tell(
                "MIG102", f"{keeper} keeps the name {name}; renamed: {others}", Action.APPROXIMATED, next(k for k in keys if k != keeper)
            )
    for key in stack.project.services:
        rule = "N2" if len(wished[shortened(label(called[key]), key)]) > 1 else "N1"
        reason = "equal names need a difference" if rule == "N2" else "a Service is named by an RFC 1035 label"
        reason = reason if called[key] == key else "label kompose.service.name_override; its own name stays an alias"
        span = stack.project.services[key].span
        work.decisions.append(Decision(question="name", service=key, outcome=names[key], rule=rule, reason=reason, evidence=(span,)))
        if len(label(called[key])) > LONGEST_OBJECT_NAME:
            work.tell("MIG103", f"the name {key} is shortened to {names[key]}", Action.APPROXIMATED, key)
    return {key: names[key] for key in stack.project.services}


def _hostnames(work: _Work) -> None:
    """N5: the host name of the pod; what cannot be one is told. Dotted ones are N6's."""
    for name, service in work.stack.project.services.items():
        said = service.hostname
        if not said or "." in said:
            continue
        kept = said.lower().replace("_", "-")
        if is_pod_hostname(kept):
            work.hostnames[name] = kept
            work.decide("hostname", name, kept, "N5", "the pod keeps its host name")
        if kept != said.lower() or not is_pod_hostname(kept):
            outcome = f"becomes {kept}" if is_pod_hostname(kept) else "is dropped"
            work.tell("MIG107", f"the host name {said} {outcome}", Action.APPROXIMATED, name, path=key_path("services", name, "hostname"))


def _claims(work: _Work) -> None:
    """N3, N4, N6: what becomes of every name but the object name."""
    claims: dict[str, dict[str, frozenset[str]]] = {}
    spelled: dict[tuple[str, str], str] = {}
    for name, member in work.stack.members.items():
        for said, networks in member.names.items():
            folded = said.lower()
            spelled.setdefault((name, folded), said)
            held = claims.setdefault(folded, {})
            held[name] = held.get(name, frozenset()) | networks
    owners = {obj: s for s, obj in work.objects.items()}
    free_labels = {n for n in claims if "." not in n} | set(work.objects.values())
    for folded, holders in claims.items():
        if "." in folded:
            for service in holders:
                _dotted(work, service, spelled[service, folded], free_labels)
        elif is_label(folded):
            _legal(work, folded, holders, spelled, owners)
        else:
            for service in holders:
                _illegal(work, service, spelled[service, folded])
    _private_names(work, claims)


def _legal(
    work: _Work, name: str, holders: Mapping[str, frozenset[str]], spelled: Mapping[tuple[str, str], str], owners: Mapping[str, str]
) -> None:
    """N3: an alias Service for a legal label, unless it is an object's name; a service key wins over others' aliases."""
    for service in holders:
        if spelled[service, name] != name and service.lower() == name:
            work.tell("MIG106", f"the name {spelled[service, name]} is written {name}; DNS ignores case", Action.MAPPED, service)
    taken_by = owners.get(name)
    others = {s: n for s, n in holders.items() if s != taken_by}
    if taken_by is not None:
        for service in others:
            work.rewritten[service, spelled[service, name]] = work.objects[service]
            _told_claimed(work, name, (taken_by, *others), f"it answers for {taken_by}")
        return
    if len(others) > 1 and _apart(others):
        for service in others:
            work.rewritten[service, spelled[service, name]] = work.objects[service]
        first, spans = next(iter(others)), tuple(s for o in others for s in work.references(o, name))
        message = f"{name} means {', '.join(others)} on different networks; references get the service's own name"
        work.tell("MIG105", message, Action.REWRITTEN, first, also=spans)
        return
    if len(others) > 1:
        _told_claimed(work, name, tuple(others), "any of them answers, as under Docker")
    work.aliases.setdefault(name, {}).update(dict.fromkeys(others))
    for service in others:
        work.decide("alias", service, name, "N3", "what cannot be scanned may call it so")


def _told_claimed(work: _Work, name: str, services: tuple[str, ...], outcome: str) -> None:
    if name not in work.claimed:
        work.claimed.add(name)
        work.tell("MIG104", f"{name} is a name of {', '.join(dict.fromkeys(services))}; {outcome}", Action.APPROXIMATED, services[-1])


def _apart(holders: Mapping[str, frozenset[str]]) -> bool:
    """Whether no two holders of a name share a network."""
    seen: set[str] = set()
    for networks in holders.values():
        if seen & networks:
            return False
        seen |= networks
    return all(holders.values())


def _illegal(work: _Work, service: str, name: str) -> None:
    """N4: a name that DNS refuses is rewritten to the object name wherever it is a host."""
    new = work.objects[service]
    work.rewritten[service, name] = new
    spans = work.references(service, name)
    work.decide("name in texts", service, new, "N4", f"DNS refuses {name}")
    places = f"{len(spans)} references are rewritten" if spans else "nothing in the scanned text refers to it"
    work.tell("MIG101", f"the name {name} is not legal in Kubernetes and becomes {new}; {places}", Action.REWRITTEN, service, also=spans)


def _dotted(work: _Work, service: str, name: str, taken: set[str]) -> None:
    """N6: (a) two labels are kept by hostname and subdomain where that can be; (b) mode pin: by `hostAliases`, if a pin is possible, which
    is decided with the addresses; (c) else references are rewritten (N6a, N6b, N6c)."""
    first, _, second = name.lower().partition(".")
    member = work.stack.project.services[service]
    own_hostname = (member.hostname or first).lower() in (first, name.lower())
    fits = is_label(second) and is_pod_hostname(first) and second not in taken and own_hostname
    if fits and service not in work.subdomains and _one_pod(member):
        work.subdomains[service] = (first, second)
        work.hostnames[service] = first
        work.tell("MIG108", f"{name} keeps resolving: hostname {first}, subdomain {second}", Action.MAPPED, service)
        work.decide("dotted name", service, f"{first}.{second}", "N6a", "two labels resolve through hostname and subdomain")
        return
    if (member.hostname or "").lower() == name.lower():
        path = key_path("services", service, "hostname")
        work.tell("MIG107", f"the host name {name} is not kept: it has dots", Action.DROPPED, service, path=path)
    if (service, name) in work.rewritten:
        return
    new = work.objects[service]
    work.rewritten[service, name] = new
    if work.answers.mode(service) == "pin":
        work.by_pin.add((service, name))
        work.decide("dotted name", service, name, "N6b", "the hosts files of its callers keep it, if a pin is possible")
        return
    work.decide("dotted name", service, new, "N6c", f"{name} does not resolve in the cluster")
    work.tell("MIG109", f"the name {name} does not resolve in Kubernetes; references become {new}", Action.REWRITTEN, service,
              also=work.references(service, name))  # fmt: skip


def _one_pod(service: Service) -> bool:
    deploy = service.data.get("deploy")
    mode = deploy.get("mode") if isinstance(deploy, Mapping) else None
    return service.replicas == 1 and mode in (None, "replicated") and (service.network_mode or "bridge") == "bridge"


def _private_names(work: _Work, claims: Mapping[str, Mapping[str, frozenset[str]]]) -> None:
    """N3 for names that one caller alone has: link aliases and `extra_hosts` of the stack's own addresses; N7 for external links."""
    wanted: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for caller, name, callee in _private(work.stack):
        wanted.setdefault(name.lower(), {}).setdefault(callee, []).append((caller, name))
    for folded, by_callee in wanted.items():
        for callee, callers in by_callee.items():
            name = callers[0][1]
            if callee in claims.get(folded, {}) or work.objects[callee] == folded:
                continue
            free = folded not in claims and folded not in work.objects.values() and len(by_callee) == 1
            if is_label(folded) and free:
                work.aliases.setdefault(folded, {})[callee] = None
                message = f"{callers[0][0]} calls {callee} {name}: Service {folded} answers"
                work.tell("MIG131", message, Action.APPROXIMATED, callers[0][0])
                continue
            if "." in folded and free:
                _dotted(work, callee, name, set(claims) | set(work.objects.values()))
                continue
            work.rewritten[callee, name] = work.objects[callee]
            message = f"{callers[0][0]} calls {callee} {name}; references there become {work.objects[callee]}"
            work.tell("MIG131", message, Action.REWRITTEN, callers[0][0], also=work.references(callee, name))
    for service in work.stack.project.services.values():
        links = service.data.get("external_links")
        for link in links if isinstance(links, list) else ():
            container, _, alias = str(link).partition(":")
            if {container, alias or container} & set(work.answers.project.get("externalLinks") or {}):
                continue
            path = key_path("services", service.name, "external_links")
            work.tell("MIG130", f"{link} lies outside the stack: no Service can stand for it", Action.DROPPED, service.name, path=path)


def _private(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """(caller, name, callee) of link aliases and of `extra_hosts` entries that mean a service."""
    for service in stack.project.services.values():
        for link in service.links:
            target, _, alias = link.partition(":")
            if target in stack.project.services and alias:
                yield service.name, alias, target
    for o in stack.occurrences:
        text = stack.texts[o.text]
        if text.place == "extra_hosts" and text.service is not None and o.service is not None:
            yield text.service, text.key, o.service
