"""Connections that texts ask for (conversion.md section 3, compared 1): every reference and every wait, under what is written now."""

from __future__ import annotations

from collections.abc import Iterator

from migrate.addresses.types import DecidedUse
from migrate.description import description
from migrate.findings import Action, Finding, Span
from migrate.patterns import late
from migrate.rules import found
from migrate.stack import Occurrence, Text
from migrate.stack.tokens import canonical
from migrate.verify.case import Case, lost
from migrate.verify.objects import sequence
from migrate.verify.reach import Entry, covers

_WAITS = late(r"getent\s+hosts\s+([a-z0-9][a-z0-9.-]*)")
_RENDERED = late(r"@@ADDR6?:([a-z0-9-]+)@@")
_ITSELF = late(r"POD_IP|^\[?(127\.0\.0\.1|0\.0\.0\.0|::1?)\]?$")
_PEERS = ("A6a", "A6b", "A7", "A9")


@description
class Need:
    """`caller` must reach `callee` at `port` (None: any) under `written`, because of a text at `span`."""

    caller: str
    callee: str
    written: str
    port: int | None
    protocols: tuple[str, ...]
    span: Span
    address: str | None = None


def references(case: Case) -> Iterator[Need]:
    """The references of all texts, each with what is written there after the conversion."""
    for index, o in enumerate(case.stack.occurrences):
        text, use = case.stack.texts[o.text], case.decided.get(index)
        if text.service is None or o.service is None or o.service in case.stack.namesakes.get(text.service, ()):
            continue
        protocols = ("tcp", "udp") if o.protocol == "both" else (o.protocol,)
        for address, written in _written(case, o, use, text):
            port = None if text.place == "dns" else o.port
            yield Need(
                caller=text.service, callee=_meant(case, o, address), written=written, port=port, protocols=protocols, span=o.span,
                address=address,
            )  # fmt: skip


def _meant(case: Case, o: Occurrence, address: str | None) -> str:
    owners = case.directory.by_address.get(address or "", ())
    return owners[0][0] if o.kind == "prefix" and owners else o.service or ""


def _written(case: Case, o: Occurrence, use: DecidedUse | None, text: Text) -> Iterator[tuple[str | None, str]]:
    """(old address, what now stands for it); nothing where nothing is written, or a finding of its own tells that the old text stays."""
    if o.kind == "name":
        if text.place not in ("dns", "build"):
            yield None, _name_now(case, text.service or "", o)
    elif use is None or text.place == "extra_hosts" or use.action in ("dropped", "refused"):
        return
    elif use.action == "left":
        if o.kind == "address" and use.use.rule in _PEERS and (use.use.owner, use.use.address) in case.kept:
            yield o.address, o.address or o.token
    elif use.new is not None and o.kind == "address":
        rendered = _RENDERED.search(use.new)
        yield o.address, rendered[1] if rendered else use.new.rpartition("/")[2] if use.new.startswith("/dns") else use.new


def _name_now(case: Case, caller: str, o: Occurrence) -> str:
    """The name that stands there now: the old one where the caller's hosts file keeps it (N6b), else the new one, if it has one."""
    said = o.token.lower()
    kept = {name for names in case.addressing.services[caller].host_aliases.values() for name in names}
    return said if said in kept else case.renamed.get((o.service or "", o.token.casefold()), said)


def prefixes(case: Case) -> Iterator[Need]:
    """A3: every address that a beginning makes after the conversion, where pins keep it true."""
    for index, o in enumerate(case.stack.occurrences):
        text, use = case.stack.texts[o.text], case.decided.get(index)
        if o.kind != "prefix" or use is None or use.new is None or use.action != "pinned" or text.service is None:
            continue
        for address in use.use.addresses:
            for callee, _ in case.directory.by_address.get(address, ()):
                if callee not in case.stack.namesakes.get(text.service, ()):
                    written = use.new + address[len(o.token) :]
                    yield Need(
                        caller=text.service, callee=callee, written=written, port=None, protocols=("tcp",), span=o.span, address=address
                    )


def unmet(case: Case, need: Need) -> Finding | None:
    """MIG350 if the new network does not give what is needed; what the old one did not give either is no loss."""
    if need.callee in case.pods and not case.joined(need.caller, need.callee):
        return None
    why = _loss(case, need)
    return lost(need.caller, need.callee, why, need.span, need.address) if why is not None else None


def _loss(case: Case, need: Need) -> str | None:
    if not case.pods[need.caller]:
        return None
    if not case.pods[need.callee]:
        return f"{need.callee} has no pod"
    if _ITSELF.search(need.written):
        return None if case.share_pod(need.caller, need.callee) else f"{need.written} is the pod of {need.caller} itself"
    pod = case.pods[need.caller][0]
    written = case.world.hosts(pod).get(need.written, need.written)
    address = canonical(written)
    if address is not None and (carriers := case.world.by_attachment.get(address)):
        return _by_attachment(case, need, address, carriers)
    space = case.world.pods[pod].namespace
    entry = case.world.by_address.get(address) if address is not None else case.world.by_name.get((space, written))
    if entry is None and address is None:
        entry = _by_subdomain(case, space, written)
    if entry is None:
        return f"no Service has the address {written}" if address is not None else f"no Service answers the name {written}"
    return _by_service(case, need, entry)


def _by_attachment(case: Case, need: Need, address: str, carriers: tuple[int, ...]) -> str | None:
    theirs = [p for p in carriers if p in case.pods[need.callee]]
    if not theirs:
        return f"the address {address} on a second network is that of another pod"
    if not any(case.world.linked(a, b) for a in case.pods[need.caller] for b in theirs):
        return f"no second network leads to the address {address}"
    return None


def _by_service(case: Case, need: Need, entry: Entry) -> str | None:
    if not set(entry.pods) & set(case.pods[need.callee]):
        return f"the Service {entry.name} selects no pod of {need.callee}"
    target = need.port
    if need.port is not None and not entry.headless:
        matching = [p for p in entry.ports if p.port == need.port and p.protocol in need.protocols]
        if not matching:
            return f"the Service {entry.name} has no port {need.port}"
        target = matching[0].target
    if _admits(case, need.caller, need.callee, target, need.protocols):
        return None
    return f"NetworkPolicies do not let {need.caller} in" + (f" at {need.port}" if need.port else "")


def _by_subdomain(case: Case, space: str, written: str) -> Entry | None:
    """N6a: `host.sub` answers for a pod whose hostname and subdomain it is, through the headless Service `sub`."""
    first, _, second = written.partition(".")
    entry = case.world.by_name.get((space, second))
    if not second or entry is None or not entry.headless:
        return None
    named = [
        p for p in entry.pods if (case.world.pods[p].spec.get("hostname"), case.world.pods[p].spec.get("subdomain")) == (first, second)
    ]
    return entry if named else None


def _admits(case: Case, caller: str, callee: str, port: int | None, protocols: tuple[str, ...]) -> bool:
    for a in case.pods[caller]:
        for b in case.pods[callee]:
            ports = case.world.admitted(a, b)
            if ports is None or (port is None and ports):
                return True
            if port is not None and any(covers(ports, port, protocol) for protocol in protocols):
                return True
    return False


def waits(case: Case) -> Iterator[Finding]:
    """Every wait for a dependency must be for a name that some pod answers."""
    for service, pods in case.pods.items():
        for pod in pods:
            for container in case.world.pods[pod].containers():
                words = [str(w) for key in ("command", "args") for w in sequence(container.data.get(key))]
                for waited in _WAITS.findall(" ".join(words)) if container.first and container.name.startswith("wait-for-") else ():
                    entry = case.world.by_name.get((case.world.pods[pod].namespace, waited))
                    if entry is None or not entry.pods:
                        why = f"{service} waits for the name {waited}, which no pod answers"
                        yield found("MIG350", why, action=Action.REFUSED, span=case.stack.project.services[service].span, service=service)
