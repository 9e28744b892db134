"""Cases of the data plane (model.md), recorded by an independent slow implementation: every request, counter and trigger."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from simulate.spec import (
    Background,
    Behaviour,
    Call,
    Distribution,
    Edge,
    Ejection,
    Factor,
    Keepalive,
    Machine,
    Memory,
    Rate,
    Retry,
    RetryBudget,
    Source,
    Step,
    TrafficSpec,
)
from simulate.traffic import make_plane
from simulate.traffic.plane import Trigger
from simulate.traffic.state import RequestRecord

Case = Mapping[str, Any]
MIB = float(2**20)
WORDS = {"dist": "name", "min": "minimum", "max": "maximum"}
ENGINES = ("heap", "events", "auto")


def run(paths: list[Path]) -> Iterator[tuple[str, str | None]]:
    """Each case by its id with None, or the first difference as one line; every case by each engine that can run it."""
    for path in paths:
        case = json.loads(path.read_text(encoding="utf-8"))
        found = (f"{engine}: {text}" for engine in ENGINES for text in differences(case, engine))
        yield case["id"], next(found, None)


# ------------------------------------------------------------------ words of a case to nouns


def distribution(data: Any) -> Distribution:
    """A number is a constant."""
    if not isinstance(data, Mapping):
        return Distribution(name="const", value=float(data))
    words: dict[str, Any] = {WORDS.get(str(key), str(key)): value for key, value in data.items() if key not in ("q", "x")}
    if "q" in data:
        words["points"] = tuple(zip(map(float, data["q"]), map(float, data["x"]), strict=True))
    return Distribution(**words)


def step(data: Case) -> Step:
    """One of cpu, wait, call, parallel."""
    if "cpu" in data:
        return Step(cpu_s=distribution(data["cpu"]))
    if "wait" in data:
        return Step(wait_s=distribution(data["wait"]))
    calls = [data["call"]] if "call" in data else data["parallel"]
    return Step(calls=tuple(Call(**call) for call in calls), parallel="parallel" in data)


def memory(data: Case | None) -> Memory | None:
    """MiB to bytes."""
    if data is None:
        return None
    words = {key.replace("_mib", "_bytes"): value * MIB for key, value in data.items() if key.endswith("_mib") and value is not None}
    return Memory(**words, restart_after_s=data.get("restart_after_s"))


def behaviour(data: Case) -> Behaviour:
    """A service."""
    words = dict(data, program=tuple(map(step, data["program"])), memory=memory(data.get("memory")))
    if "warm_requests" in data:
        words["warm_requests"] = tuple(map(tuple, data["warm_requests"]))
    return Behaviour(**words)


def edge(data: Case) -> Edge:
    """An edge with its rules."""
    words = {key: value for key, value in data.items() if key not in ("from", "to")}
    if "retry" in words:
        rule = dict(words["retry"])
        if "max" in rule:
            rule["maximum"] = rule.pop("max")
        if rule.get("on") is not None:
            rule["on"] = frozenset(rule["on"])
        if rule.get("budget"):
            rule["budget"] = RetryBudget(**{{"min": "minimum", "max": "maximum"}.get(k, k): v for k, v in rule["budget"].items()})
        words["retry"] = Retry(**rule)
    for key, kind in (("keepalive", Keepalive), ("ejection", Ejection)):
        if words.get(key):
            words[key] = kind(**words[key])
    words["proxies"] = tuple(words.get("proxies", ["default"]))
    return Edge(caller=data["from"], callee=data["to"], **words)


def factor(data: Case) -> Factor:
    """A factor of a rate."""
    if "mmpp" in data:
        return Factor(mmpp=(tuple(data["mmpp"]["factors"]), tuple(data["mmpp"]["dwell_s"])))
    words: dict[str, Any] = {key: tuple(tuple(v) if isinstance(v, list) else v for v in value) for key, value in data.items()}
    return Factor(**words)


def rate(data: Case) -> Rate:
    """A rate with its factors."""
    words: dict[str, Any] = {"factors": tuple(map(factor, data.get("times", ())))}
    if "diurnal" in data:
        words["diurnal"] = (data["diurnal"]["mean"], data["diurnal"]["amplitude"], data["diurnal"].get("peak_s", 0.0))
    for key in ("steps", "knots"):
        if key in data:
            words[key] = tuple(map(tuple, data[key]))
    if "constant" in data:
        words["constant"] = float(data["constant"])
    return Rate(**words)


def source(data: Case) -> Source:
    """A source."""
    words = dict(data)
    for key, convert in (("rate", rate), ("think_s", distribution), ("batch", distribution), ("times", tuple)):
        if words.get(key) is not None:
            words[key] = convert(words[key])
    return Source(**words)


def spec_of(case: Case) -> TrafficSpec:
    """The whole of a case but its pods and operations."""
    return TrafficSpec(
        seed=case["seed"],
        horizon_s=case["horizon_s"],
        behaviours=tuple(map(behaviour, case["services"])),
        edges=tuple(map(edge, case["edges"])),
        sources=tuple(map(source, case["sources"])),
        machines=tuple(
            Machine(
                name=node["name"],
                cores=node.get("cores"),
                speed=node.get("speed", 1.0),
                background=tuple(Background(**entry) for entry in node.get("background", ())),
            )
            for node in case["nodes"]
        ),
    )


# ------------------------------------------------------------------ operations


class World:
    """A plane with what a case says about pods: a repeated start changes only what it names."""

    def __init__(self, case: Case, plane: Any) -> None:
        self.plane = plane
        self.pods: dict[str, dict[str, Any]] = {}
        self.triggers: list[Trigger] = []
        self.reads: list[dict[str, Any]] = []
        for pod in case["pods"]:
            self.start(-1.0, pod)
            if pod.get("routed", True):
                plane.route(-1.0, pod["name"])

    def start(self, t: float, data: Case, **more: Any) -> None:
        """Start a pod, remembering its settings."""
        settings = self.pods.setdefault(data["name"], {})
        settings.update({key: value for key, value in data.items() if key not in ("name", "routed")})
        words = dict(settings)
        names = {"service": words.pop("service"), "node": words.pop("node", None)}
        self.plane.start(t, data["name"], **names, **words, **more)

    def until(self, t: float) -> None:
        """Everything up to and including t."""
        while (trigger := self.plane.advance(t)) is not None:
            self.triggers.append(trigger)

    def apply(self, operation: Case) -> None:
        """One operation at its time."""
        t, verb = operation["t"], operation["op"]
        self.until(t)
        more = {key: value for key, value in operation.items() if key not in ("t", "op", "spec", "routed", "id", "pod", "node")}
        trigger = None
        if verb == "start":
            self.start(t, operation["spec"], **more)
            if operation.get("routed"):
                self.plane.route(t, operation["spec"]["name"])
        elif verb == "set":
            self.change(t, operation, more)
        elif verb == "read":
            counters = self.plane.read(t)
            self.reads.append({"t": t, "pods": {name: value._asdict() for name, value in counters.items()}})
        elif verb == "probe":
            words = {"cpu_s": 0.0, "timeout_s": 1.0, **more}
            trigger = self.plane.probe(t, operation["pod"], str(operation["id"]), **words)
        elif verb == "drain":
            trigger = self.plane.drain(t, operation["pod"], **more)
        else:
            getattr(self.plane, verb)(t, operation["pod"], **more)
        if trigger is not None:
            self.triggers.append(trigger)

    def change(self, t: float, operation: Case, more: dict[str, Any]) -> None:
        """Speed, weight or quota of a pod (null is no quota), speed or background of a node."""
        if "node" in operation:
            if "background" in more:
                more["background"] = tuple(Background(**entry) for entry in more["background"])
            self.plane.set_node(t, operation["node"], **more)
            return
        self.pods[operation["pod"]].update(more)
        if "quota_cores" in more and more["quota_cores"] is None:
            more["quota_cores"] = math.inf
        self.plane.set_pod(t, operation["pod"], **more)


# ------------------------------------------------------------------ comparing


def close(a: Any, b: Any) -> bool:
    """Numbers within the tolerance of the cases, all else equal."""
    if isinstance(a, float) or isinstance(b, float):
        return a is not None and b is not None and abs(a - b) <= 1e-9 + 1e-9 * abs(b)
    return bool(a == b)


def differences(case: Case, engine: str) -> Iterable[str]:
    """What differs from the recorded results, requests first, in order of their end."""
    try:
        world = World(case, make_plane(spec_of(case), engine=engine, record=True))
        for operation in case["control"]:
            world.apply(operation)
        world.until(case["horizon_s"])
        yield from _compared(case, world)
    except Exception as error:  # a case must never end the run of the others
        yield f"{type(error).__name__}: {error}"


def _compared(case: Case, world: World) -> Iterator[str]:
    expect, end = case["expect"], case["horizon_s"]
    records = world.plane.records()
    yield from _requests(expect.get("requests", expect.get("samples", [])), records)
    yield from _table("source", expect["sources"], {name: _source_row(value) for name, value in world.plane.sources(end).items()})
    yield from _table("edge", expect["edges"], {"->".join(name): _edge_row(value) for name, value in world.plane.edges(end).items()})
    yield from _pods("pod", expect["pods"], {name: value._asdict() for name, value in world.plane.read(end).items()})
    for want, got in zip(expect["reads"], world.reads, strict=True):
        yield from _pods(f"read {want['t']} pod", want["pods"], got["pods"])
    yield from _triggers(expect["triggers"], world.triggers)
    for name, want in expect["latency"].items():
        yield from _latency(name, want, [record for record in records if record.source == name])
    if "digest" in expect and digest(case, records) != expect["digest"]:
        yield "digest differs"


def _requests(expected: list[list[Any]], records: list[RequestRecord]) -> Iterator[str]:
    known = {(record.source, record.number): record for record in records}
    for want in sorted(expected, key=lambda row: (math.inf if row[4] is None else row[4], row[0], row[1])):
        got = known.get((want[0], want[1]))
        if got is None:
            yield f"request {want[0]} {want[1]} was not made"
        elif not all(close(a, b) for a, b in zip(got, want, strict=True)):
            yield f"request {list(got)}, expected {want}"


def _source_row(counters: Any) -> dict[str, Any]:
    return {"arrived": counters.arrived, "in_flight": counters.in_flight, "ok": counters.ok, **counters.failed}


def _edge_row(counters: Any) -> dict[str, Any]:
    row = counters._asdict()
    return {**row.pop("ends"), **row}


def _table(what: str, expected: Case, rows: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    for name, want in expected.items():
        got = rows.get(name, {})
        for key in dict.fromkeys([*want, *got]):
            if not close(got.get(key, 0), want.get(key, 0)):
                yield f"{what} {name}: {key} is {got.get(key, 0)}, expected {want.get(key, 0)}"


def _pods(what: str, expected: Case, rows: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    counted = {name: dict(row, memory_mib=row["memory_bytes"] / MIB) for name, row in rows.items()}
    for row in counted.values():
        del row["memory_bytes"]
    yield from _table(what, expected, counted)


def _triggers(expected: list[list[Any]], triggers: list[Trigger]) -> Iterator[str]:
    got = [[t.t_s, t.kind, t.pod, *([int(t.probe), t.outcome] if t.probe is not None else [])] for t in triggers]
    if len(got) != len(expected) or not all(close(a, b) for x, y in zip(got, expected, strict=True) for a, b in zip(x, y, strict=True)):
        yield f"triggers {got}, expected {expected}"


def _latency(name: str, want: Case, records: list[RequestRecord]) -> Iterator[str]:
    spans = [(record.end_s - record.arrival_s, record.outcome) for record in records if record.end_s is not None]
    ok = sorted(span for span, outcome in spans if outcome == "ok")
    got = {
        "ok": len(ok),
        "sum_s": math.fsum(ok),
        "sum_squares": math.fsum(x * x for x in ok),
        "max_s": ok[-1] if ok else None,
        "failed_sum_s": math.fsum(span for span, outcome in spans if outcome != "ok"),
        "attempts": sum(record.attempts for record in records),
        "quantiles_s": {q: ok[max(1, math.ceil(float(q) * len(ok) - 1e-9)) - 1] if ok else None for q in want["quantiles_s"]},
    }
    for key, value in want.items():
        mine = got[key]
        same = all(close(mine[q], value[q]) for q in value) if isinstance(mine, dict) else close(mine, value) or (not ok and not value)
        if not same:
            yield f"latency {name}: {key} is {mine}, expected {value}"


def digest(case: Case, records: list[RequestRecord]) -> str:
    """SHA-256 over all requests with latencies in cells of 0.1 ms."""
    ordinal = {data["name"]: i for i, data in enumerate(case["sources"])}
    text = hashlib.sha256()
    for record in records:
        cell = "-" if record.end_s is None else str(math.floor((record.end_s - record.arrival_s) / 1e-4 + 0.5))
        text.update(f"{ordinal[record.source]} {record.number} {record.pod or '-'} {record.outcome} {cell}\n".encode())
    return text.hexdigest()
