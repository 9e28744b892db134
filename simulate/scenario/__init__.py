"""`scenario.yaml` -> `Scenario`: what manifests cannot say, checked completely before anything is simulated."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from simulate.manifests import Document, documents, read_text
from simulate.problems import InputError, Problem
from simulate.scenario import machines
from simulate.scenario.shapes import At, JsonSchema
from simulate.scenario.table import DELAYS, FLAGS, HOST_VERBS, SCENARIO, VERBS
from simulate.spec import (
    BIN_S,
    MONDAY_S,
    Call,
    ControlPlane,
    Distribution,
    Factor,
    NodePool,
    Objective,
    Provisioner,
    Rate,
    Source,
    Step,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One source of an entry service; `place` is its key path. `source.to` is the name as written."""

    entry: str
    source: Source
    clients: int
    place: tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event as written."""

    at_s: float
    verb: str
    target: str
    arguments: Mapping[str, Any]
    place: tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A checked scenario in SI units. `services` and `balancing` hold the keys that were said, in canonical form; names are as written."""

    document: Document
    digest: str
    horizon_s: float | None
    seed: int | None
    loads: tuple[Load, ...]
    services: Mapping[str, Mapping[str, Any]]
    balancing: Mapping[str, Mapping[str, Any]]
    objectives: Mapping[str, Objective]
    pools: tuple[NodePool, ...] | None
    events: tuple[Happening, ...]
    baseline: Mapping[str, Any] | None
    control: ControlPlane
    guesses: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, float] = field(default_factory=dict)
    upstreams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recorded: Mapping[str, str] = field(default_factory=dict)
    fluid_bin_s: float | None = None
    """File of a recorded load -> its digest."""
    begins_s: float = MONDAY_S
    provisioners: tuple[Provisioner, ...] = ()


def read(source: str | Path | Mapping[str, Any]) -> Scenario:
    """A scenario from a file or from plain data. InputError has every fault with its place.

    >>> read({"version": 1, "laod": {}})
    Traceback (most recent call last):
    ...
    simulate.problems.InputError: scenario unknown key 'laod', did you mean 'load'? (in the scenario)
    """
    if isinstance(source, Mapping):
        digest = hashlib.sha256(json.dumps(_keyed(source, str), sort_keys=True, default=str).encode()).hexdigest()
        return _checked(Document(file="scenario", value=_keyed(source, lambda key: key)), digest, Path())
    path = Path(source)
    text, digest = read_text(path)
    found = documents(text, str(path))
    if len(found) != 1:
        message = "is empty; it needs at least `version: 1`" if not found else "must be one document"
        raise InputError([Problem(file=str(path), line=0, column=0, message=message)])
    return _checked(found[0], digest, path.parent)


def _keyed(value: Any, by: Callable[[Any], Any]) -> Any:
    """Plain data with its keys changed. The key `on`, which readers of YAML 1.1 make true, is itself again."""
    if isinstance(value, Mapping):
        return {"on" if key is True else by(key): _keyed(entry, by) for key, entry in value.items()}
    return [_keyed(entry, by) for entry in value] if isinstance(value, list | tuple) else value


def schema() -> JsonSchema:
    """The JSON Schema of a scenario, for editors; published as docs/scenario.schema.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "scenario.yaml, version 1",
        "description": "What Kubernetes manifests cannot say and `simulate` needs: load, work per request, nodes, events, objectives.",
        **SCENARIO.schema(),
    }


def _checked(document: Document, digest: str, folder: Path) -> Scenario:
    problems: list[Problem] = []
    said = SCENARIO.read(document.value, At(document, problems))
    if said is None or problems:
        raise InputError(problems)
    recorded: dict[str, str] = {}
    loads = _loads(said.get("load", {}), document, folder, problems, recorded)
    pools, provisioners = _pools(said, document, problems)
    scenario = Scenario(
        document=document,
        digest=digest,
        horizon_s=said.get("horizon"),
        seed=said.get("seed"),
        loads=loads,
        services=said.get("services", {}),
        balancing=said.get("balancing", {}),
        objectives={name: _objective(name, entry) for name, entry in said.get("objective", {}).items()},
        pools=pools,
        provisioners=provisioners,
        events=_events(said.get("events", ())),
        baseline=said.get("baseline"),
        control=_control(said.get("controlPlane", {})),
        guesses=said.get("guesses", {}),
        images=said.get("images", {}),
        upstreams=said.get("upstreams", {}),
        recorded=recorded,
        begins_s=said.get("date", MONDAY_S),
        fluid_bin_s=_bin_s(said.get("engine", "exact"), At(document, problems, ("engine", "fluid", "bin"))),
    )
    if problems:
        raise InputError(problems)
    return scenario


def _bin_s(engine: Any, at: At) -> float | None:
    """Bins of the fluid engine; None where every request is simulated."""
    if not isinstance(engine, Mapping):
        return BIN_S if engine == "fluid" else None
    found = float(engine["fluid"].get("bin", BIN_S))
    if found < 1.0:
        at.fault("must be at least 1s")
    return found


# ------------------------------------------------------------------ load


def _loads(
    load: Mapping[str, Any], document: Document, folder: Path, problems: list[Problem], recorded: dict[str, str]
) -> tuple[Load, ...]:
    found: list[Load] = []
    names: dict[str, str] = {}
    for entry, sources in load.items():
        for i, said in enumerate(sources):
            at = At(document, problems, ("load", entry, i))
            name = said.get("name", f"{entry}/{i}")
            if name in names:
                at.down("name").fault(f"{name!r} is taken by a source of {names[name]}")
            names[name] = entry
            source = _source(name, entry, said, at, folder, recorded)
            if source is not None:
                found.append(Load(entry=entry, source=source, clients=said.get("clients", 1000), place=at.path))
    return tuple(found)


def _source(name: str, entry: str, said: Mapping[str, Any], at: At, folder: Path, recorded: dict[str, str]) -> Source | None:
    if "closed" in said:
        closed = said["closed"]
        return Source(
            name=name,
            to=entry,
            kind="closed",
            users=closed["users"],
            think_s=closed.get("think"),
            stagger_s=closed.get("stagger", 0.0),
            start_s=closed.get("start", 0.0),
            iterations=closed.get("iterations"),
            end_s=closed.get("end"),
        )
    if "recorded" in said:
        return _recorded(name, entry, folder / said["recorded"], at.down("recorded"), recorded)
    kind = "open" if "open" in said else "deterministic"
    arrivals, here = said[kind], at.down(kind)
    return Source(
        name=name,
        to=entry,
        kind=kind,  # type: ignore[arg-type]
        rate=_rate(arrivals["rate"], arrivals.get("times", ()), here),
        batch=arrivals.get("batch"),
        limit=arrivals.get("limit"),
        end_s=arrivals.get("end"),
    )


def _rate(said: Any, times: tuple[Mapping[str, Any], ...], at: At) -> Rate:
    factors = tuple(_factor(entry, at.down("times").down(i)) for i, entry in enumerate(times))
    if not isinstance(said, Mapping):
        return Rate(constant=said, factors=factors)
    if "diurnal" in said:
        day = said["diurnal"]
        return Rate(diurnal=(day["mean"], day["amplitude"], day["peak"]), factors=factors)
    return Rate(constant=said.get("constant"), steps=said.get("steps"), knots=said.get("knots"), factors=factors)


def _factor(said: Mapping[str, Any], at: At) -> Factor:
    if "mmpp" in said:
        return Factor(mmpp=(said["mmpp"]["factors"], said["mmpp"]["dwell"]))
    if "bursts" in said:
        bursts = sorted((burst["at"], burst["for"], burst["factor"]) for burst in said["bursts"])
        for (start, lasting, _), (after, _, _) in pairwise(bursts):
            if start + lasting > after:
                at.down("bursts").fault("must not overlap")
        return Factor(bursts=tuple(bursts))
    return Factor(steps=said.get("steps"), weekly=said.get("weekly"))


def _recorded(name: str, entry: str, path: Path, at: At, recorded: dict[str, str]) -> Source | None:
    """A CSV of times, or of bins: time of its begin and count in it; the last bin is as long as the one before."""
    try:
        text, recorded[str(path)] = read_text(path)
        rows = [row for row in csv.reader(io.StringIO(text)) if row and any(cell.strip() for cell in row)]
        if rows and not _is_number(rows[0][0]):
            rows = rows[1:]
        columns = [[float(cell) for cell in row[:2]] for row in rows]
    except InputError as error:
        at.problems += error.problems
        return None
    except (ValueError, csv.Error) as error:
        at.fault(f"is not a table of numbers: {error}")
        return None
    if any(not math.isfinite(cell) or cell < 0 for row in columns for cell in row):
        at.fault("must have finite numbers that are not negative")
        return None
    times = [row[0] for row in columns]
    if not times or any(after < before for before, after in pairwise(times)):
        at.fault("must have times in seconds that do not decrease")
        return None
    if all(len(row) == 1 for row in columns):
        return Source(name=name, to=entry, kind="trace", times=tuple(times))
    if len(times) < 2 or len(set(times)) < len(times) or any(len(row) < 2 for row in columns):
        at.fault("must have two columns (time, count) with at least two different times")
        return None
    widths = [after - before for before, after in pairwise(times)]
    widths.append(widths[-1])
    steps = tuple((row[0], row[1] / width) for row, width in zip(columns, widths, strict=True))
    return Source(name=name, to=entry, kind="open", rate=Rate(steps=steps), end_s=times[-1] + widths[-1])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# ------------------------------------------------------------------ the rest


def program(said: Mapping[str, Any]) -> tuple[Step, ...] | None:
    """The steps of a service (model.md 3.3); the short form is cpu, wait, then the calls in order. None if it says no work at all."""
    if "program" in said:
        return tuple(_step(step) for step in said["program"])
    if not any(key in said for key in ("cpu", "wait", "calls")):
        return None
    steps = [Step(cpu_s=said["cpu"])] if "cpu" in said else []
    steps += [Step(wait_s=said["wait"])] if "wait" in said else []
    return (*steps, *(Step(calls=(_call(call),)) for call in said.get("calls", ())))


def _step(said: Mapping[str, Any]) -> Step:
    cpu: Distribution | None = said.get("cpu")
    if "parallel" in said:
        return Step(calls=tuple(_call(call) for call in said["parallel"]), parallel=True)
    if "call" in said:
        return Step(calls=(_call(said["call"]),))
    return Step(cpu_s=cpu, wait_s=said.get("wait"))


def _call(said: Mapping[str, Any]) -> Call:
    return Call(to=said["to"], count=said.get("count", 1), probability=said.get("probability", 1.0), optional=said.get("optional", False))


def _objective(name: str, said: Mapping[str, Any]) -> Objective:
    return Objective(service=name, latency_s=tuple(sorted(said.get("latency", {}).items())), errors_ratio=said.get("errors"))


def _pools(
    said: Mapping[str, Any], document: Document, problems: list[Problem]
) -> tuple[tuple[NodePool, ...] | None, tuple[Provisioner, ...]]:
    """Pools of `nodes` and of the sizes of `provisioners`; None when neither was said."""
    if "nodes" not in said and "provisioners" not in said:
        return None, ()
    pools = [_pool(name, entry, document, problems) for name, entry in said.get("nodes", {}).items()]
    provisioners = []
    for name, entry in said.get("provisioners", {}).items():
        at = At(document, problems, ("provisioners", name))
        made, sizes = machines.provisioner(name, entry)
        if not sizes:
            at.down("sizes").fault("must have at least one size")
        if name in [pool.name for pool in pools]:
            at.fault(f"has the name of a pool: {name}")
        for one in sizes:
            if one.name in [pool.name for pool in pools]:
                at.down("sizes").fault(f"makes a second pool {one.name}")
        provisioners.append(made)
        pools += sizes
    return tuple(pools), tuple(provisioners)


def _pool(name: str, said: Mapping[str, Any], document: Document, problems: list[Problem]) -> NodePool:
    count = said.get("count", said.get("min", 1))
    least, most = said.get("min", count), said.get("max", count)
    if not least <= count <= most:
        At(document, problems, ("nodes", name)).fault(f"needs min <= count <= max, has {least}, {count}, {most}")
    return machines.pool(name, said, (count, least, most))


def _events(said: tuple[Mapping[str, Any], ...]) -> tuple[Happening, ...]:
    """In order of time; those of one time as they stand."""
    found = [
        Happening(at_s=e["at"], verb=e["verb"], target=e["target"], arguments=e["arguments"], place=("events", i))
        for i, e in enumerate(said)
    ]
    return tuple(sorted(found, key=lambda event: event.at_s))


def _control(said: Mapping[str, Any]) -> ControlPlane:
    flags = {FLAGS[flag][0]: value for flag, value in said.items() if flag in FLAGS}
    delays = {DELAYS[name]: value for name, value in said.get("delays", {}).items()}
    return ControlPlane(**flags, **delays, scaling=machines.scaling(said))


__all__ = ["HOST_VERBS", "VERBS", "Happening", "Load", "Scenario", "program", "read", "schema"]
