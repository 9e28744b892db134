"""What `migrate inspect` and `migrate addresses` show: the stack as plain data, and as tables."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from migrate.findings import Severity, in_reading_order
from migrate.report import uses
from migrate.report.plain_text import one_line

if TYPE_CHECKING:
    from migrate import Conversion


def inspection(conversion: Conversion) -> dict[str, Any]:
    """Services with their names, addresses, callers and waits, the orders of starting and of moving, and the risks."""
    from migrate import graph as graphs

    graph = conversion.graph
    return {
        "version": 1,
        "project": conversion.project.name,
        "services": [_service(conversion, key) for key in conversion.stack.members],
        "notSelected": list(conversion.project.unselected),
        "startOrder": [list(group) for group in graphs.start_order(graph)],
        "cutoverWaves": [list(group) for group in graphs.waves(graph)],
        "cycles": [list(group) for group in graphs.cycles(graph)],
        "risks": [
            {"code": f.code, "severity": str(f.severity), "service": f.service, "message": f.message, "advice": f.advice}
            for f in in_reading_order(conversion.findings)
            if f.severity is not Severity.INFO
        ],
    }


def _service(conversion: Conversion, key: str) -> dict[str, Any]:
    member, plan = conversion.stack.members[key], conversion.plan.services[key]
    service = member.service
    return {
        "name": key,
        "image": service.image,
        "kind": plan.kind,
        "object": plan.object_name,
        "replicas": plan.replicas,
        "names": list(member.names),
        "networks": {network: attachment.ipv4_address or attachment.ipv6_address for network, attachment in service.networks.items()},
        "ports": [{"port": port.port, "protocol": port.protocol, "from": port.evidence} for port in member.ports],
        "published": [{"host": port.published, "container": port.target, "protocol": port.protocol} for port in service.ports],
        "calls": _calls(conversion, key),
        "calledBy": list(dict.fromkeys(r.caller for r in conversion.stack.references if r.callee == key)),
        "waitsFor": {name: dependency.condition for name, dependency in service.depends_on.items()},
        "mounts": [{"source": m.mount.source, "target": m.mount.target, "is": m.kind} for m in member.mounts],
    }


def _calls(conversion: Conversion, key: str) -> list[dict[str, Any]]:
    calls: dict[tuple[str, str, int | None], dict[str, Any]] = {}
    for reference in conversion.stack.references:
        if reference.caller == key:
            entry = {"service": reference.callee, "by": reference.name, "port": reference.port, "at": str(reference.span)}
            calls.setdefault((reference.callee, reference.name, reference.port), entry)
    return list(calls.values())


def tables(data: Mapping[str, Any], *, width: int) -> str:
    """The inspection as tables."""
    services = (
        (s["name"], f"{s['kind']} {s['object']}", s["image"] or "(built)", _networks(s["networks"]), ", ".join(s["names"]), _ports(s))
        for s in data["services"]
    )
    parts = [
        f"Project {one_line(data['project'])}\n",
        _table("Services", ("service", "becomes", "image", "networks", "names", "ports"), services, width),
        _table("Who calls whom", ("caller", "calls", "by", "port", "place"), _call_rows(data), width),
        _order("Start order", data["startOrder"]),
        _order("Cutover waves (what is needed moves first)", data["cutoverWaves"]),
    ]
    if data["cycles"]:
        parts.append(_order("Services that need each other", data["cycles"]))
    risks = ((r["code"], r["severity"], r["service"] or "", r["message"]) for r in data["risks"])
    parts.append(_table("Risks", ("code", "severity", "service", "what"), risks, width))
    return "\n".join(part for part in parts if part)


def _call_rows(data: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    for service in data["services"]:
        for call in service["calls"]:
            yield service["name"], call["service"], call["by"], str(call["port"] or ""), call["at"]


def _networks(networks: Mapping[str, str | None]) -> str:
    return ", ".join(f"{network} {address}" if address else network for network, address in networks.items())


def _ports(service: Mapping[str, Any]) -> str:
    ports = [f"{port['port']}/{port['protocol']}" for port in service["ports"]]
    published = [f"{port['host'] or '(any)'}->{port['container']}" for port in service["published"]]
    return ", ".join((*ports, *(f"published {text}" for text in published)))


def _order(title: str, groups: Sequence[Sequence[str]]) -> str:
    return f"{title}\n" + "".join(f"  {number}. {one_line(', '.join(group))}\n" for number, group in enumerate(groups, 1))


def address_table(addresses: Sequence[Mapping[str, Any]], *, width: int, everything: bool = True) -> str:
    """The addresses (product.md section 3) as one table, a line per place; without `everything`, what lies outside is one sentence."""
    told = "" if everything else uses.outside_line(addresses)
    return _table("Fixed addresses", uses.HEADS, uses.rows(addresses, everything=everything), width) + (f"{told}\n" if told else "")


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> str:
    """A table of plain text that fits `width` columns; empty without rows."""
    rows = [[one_line(value) for value in row] for row in rows]
    if not rows:
        return ""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(value) for value in row))
    out = io.StringIO()
    Console(file=out, width=width, no_color=True, force_terminal=False, legacy_windows=False).print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
