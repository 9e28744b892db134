"""What became of the fixed addresses, told in the order in which an engineer asks: gone, rewritten, fixed, left, opened, baked, outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from migrate.description import description
from migrate.findings import Finding, Severity, in_reading_order
from migrate.report.changes import Change, by_file
from migrate.report.content import OUTCOMES, Report, listed

if TYPE_CHECKING:
    from migrate.addresses.types import DecidedAddress, DecidedUse

Rows = tuple[tuple[str, ...], ...]

_WHY: Final = {
    "A1": "means every machine itself",
    "A2": "a network, a range or a mask: no single address stands for it",
    "A3": "the beginning of an address that a program puts together",
    "A3b": "an entry of the hosts file",
    "A7": "a literal is required there, and the mode has none",
    "A8": "an access rule: callers come from pod addresses, so no name is right",
    "A10": "the Docker host",
    "A11": "the virtual address in the text of its own daemon",
    "A12": "lies in a subnet of the stack and belongs to nobody: a pool, a simulated device, or stale",
    "A13": "lies outside the stack",
}
_KEPT: Final = {
    "pinned": "Pinned addresses are those of Services: reserve them in the cluster's address plan.",
    "multus": "Second networks are those of Multus: it must be installed, and pods of one bridge stand on one node.",
    "load-balancer": "Addresses on the LAN must be in the pool of the load balancer.",
}
_WIDENED: Final = ("MIG203", "MIG214", "MIG215", "MIG331", "MIG351", "MIG353", "MIG354")
_BAKED: Final = ("MIG217", "MIG218")
_OUTSIDE: Final = ("MIG208", "MIG424", "MIG130")


@description
class Section:
    """One part of the story: a title with its count, a sentence, and a table, or for what was rewritten a diff of each file."""

    title: str
    count: int
    note: str
    heads: tuple[str, ...] = ()
    rows: Rows = ()
    diffs: tuple[tuple[str, tuple[Change, ...]], ...] = ()


def sections(report: Report) -> tuple[Section, ...]:
    """The parts that have something to tell, in their order."""
    return tuple(s for make in _SECTIONS if (s := make(report)).count)


def _dropped(report: Report) -> Section:
    gone = [a for a in report.addresses if a.owner.service is not None and a.outcome == "dropped"]
    rows = tuple((a.owner.address, a.owner.service or "", a.owner.network or "", str(a.owner.span)) for a in gone)
    return Section(
        title="Dropped: declared, and nothing needs them", count=len(gone), note="Pods have names; these numbers can be given to others.",
        heads=("address", "service", "network", "declared at"), rows=rows,
    )  # fmt: skip


def _rewritten(report: Report) -> Section:
    return Section(
        title="Rewritten", count=len(report.changes), diffs=tuple(by_file(report.changes).items()),
        note="Of each line the first word and the words that changed. $(POD_IP) and @@POD_IP@@ are the pod's own address, @@ADDR:name@@ "
        "that of a Service, written when the pod starts.",
    )  # fmt: skip


def _fixed(report: Report) -> Section:
    """Pinned, on a second network, on a load balancer."""
    kept = [a for a in report.addresses if a.outcome in ("pinned", "multus", "load-balancer")]
    rows = tuple((a.owner.address, a.owner.service or "(virtual)", OUTCOMES[a.outcome], _pin(a), str(len(a.uses))) for a in kept)
    return Section(
        title="Kept as fixed addresses", count=len(kept), heads=("old address", "service", "how", "address now", "uses"), rows=rows,
        note=" ".join(_KEPT[outcome] for outcome in _KEPT if any(a.outcome == outcome for a in kept)),
    )  # fmt: skip


def _pin(address: DecidedAddress) -> str:
    new = next((u.new for u in address.uses if u.action == "pinned" and u.new and u.use.kind == "address"), None)
    return new.strip("[]") if new is not None else address.owner.address if address.outcome != "pinned" else ""


def _left(report: Report) -> Section:
    by_why: dict[tuple[str, str], list[DecidedUse]] = {}
    for decided in report.addresses:
        for used in decided.uses:
            told = used.use.place in ("script", "ports", "build") or used.use.rule == "A13" or decided.outcome == "multus"
            if used.action in ("left", "refused") and not told:
                why = _WHY.get(used.use.rule, "the plan keeps it")
                by_why.setdefault((why, used.use.token), []).append(used)
    rows = tuple((token, why, _places(u.use.span for u in uses), listed(_services(uses))) for (why, token), uses in by_why.items())
    return Section(
        title="Left alone", count=len(rows), note="These texts still say what they said.", heads=("text", "why", "where", "in"), rows=rows
    )


def _services(uses: Iterable[DecidedUse]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(u.use.service or "(outside)" for u in uses))


def _places(spans: Iterable[object]) -> str:
    return listed(list(dict.fromkeys(map(str, spans))))


def _told(title: str, note: str, codes: tuple[str, ...]) -> Callable[[Report], Section]:
    """A section of findings: what, where, what to do."""

    def made(report: Report) -> Section:
        chosen = [f for f in in_reading_order(report.findings) if f.code in codes]
        rows = tuple((f.code, f.message, _places(_spans(f)), _advice(f)) for f in chosen)
        return Section(title=title, count=len(chosen), note=note, heads=("code", "what", "where", "what to do"), rows=rows)

    return made


def _advice(finding: Finding) -> str:
    """What to do; the catalogue's words for a warning only where it is one."""
    always, _, as_warning = finding.advice.partition("as a warning: ")
    return as_warning if as_warning and finding.severity is Severity.WARNING else always.rstrip("; ")


def _spans(finding: Finding) -> Iterator[object]:
    yield from (s for s in (finding.span, *finding.also) if s is not None and s.line)


def _table(report: Report) -> Section:
    """For scripts and people outside: the old address, the name inside, and how to reach it from outside."""
    rows = []
    for decided in report.addresses:
        owner = decided.owner
        outside = [u for u in decided.uses if u.use.place == "script"]
        if owner.service is None or not outside:
            continue
        name = report.names.get(owner.service, owner.service)
        ports = report.ports.get(owner.service, ())
        forward = f"kubectl port-forward service/{name} {ports[0]}" if ports else f"kubectl exec deploy/{name} -- ..."
        rows.append((owner.address, name, forward, _places(u.use.span for u in outside)))
    return Section(
        title="For scripts outside the containers", count=len(rows), heads=("old address", "name inside", "from outside", "used at"),
        note="Makefiles, tests and playbooks beside the stack are not changed.", rows=tuple(rows),
    )  # fmt: skip


_SECTIONS: Final = (
    _dropped,
    _rewritten,
    _fixed,
    _left,
    _told("What is open wider than before", "Check these for their meaning to security.", _WIDENED),
    _told(
        "Baked into images",
        "A changed file laid over the image is enough for a start; rebuild when convenient, or where it says so.",
        _BAKED,
    ),
    _told("Outside the project", "Addresses and files that are not of this stack: pods must be able to reach them.", _OUTSIDE),
    _table,
)
