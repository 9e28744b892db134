"""Recorded traces of the real controllers: the simulator's own loops run the scenario, and the facts are compared.

Only what the recording itself replaced is replaced: the kubelet (each pod has exactly the delays of the input). The README of the
recordings says which facts are exact and which are races; a race must lie within what was recorded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Trace = Mapping[str, Any]
Judge = Callable[[Trace], list[str]]


def differences(trace: Trace, got: Mapping[str, Any]) -> list[str]:
    """Facts of a rollout that are not reproduced, a line each."""
    return exact(trace, got) + races(trace, got)


def exact(trace: Trace, got: Mapping[str, Any]) -> list[str]:
    """Of the facts that were the same in every recorded run, those that are not reproduced."""
    facts = trace["facts"]
    found = []
    if facts["size_sequence_repeats"]:
        found += _equal("size_sequence", facts["size_sequence"], got["size_sequence"])
    elif facts["sizes_per_set_repeat"]:
        found += _equal("sizes per set", _per_set(facts["size_sequence"]), _per_set(got["size_sequence"]))
    for fact in ("progressing", "available", "final"):
        if facts[f"{fact}_repeats"]:
            found += _equal(fact, facts[fact], got[fact])
    return found + _equal("deleted_sets", facts["deleted_sets"], got["deleted_sets"])


def races(trace: Trace, got: Mapping[str, Any]) -> list[str]:
    """Of the facts that depend on who is first, those that lie outside what was recorded."""
    facts = trace["facts"]
    found = []
    if not (facts["size_sequence_repeats"] or facts["sizes_per_set_repeat"]):
        runs = [facts["size_sequence"], *([size[1:] for size in run["sizes"]] for run in trace["other_runs"])]
        found += _within(runs, got["size_sequence"])
    for fact in ("progressing", "available", "final"):
        if not facts[f"{fact}_repeats"] and got[fact] != facts[fact] and not _one_less(facts[fact], got[fact]):
            found += _equal(fact, facts[fact], got[fact])
    for fact in ("peak_spec", "peak_active_pods", "peak_pod_objects", "min_available"):
        if got[fact] not in facts[fact]:
            found.append(f"{fact}: one of {facts[fact]}, got {got[fact]}")
    return found


def _equal(name: str, expected: Any, got: Any) -> list[str]:
    return [] if expected == got else [f"{name}: expected {json.dumps(expected)}, got {json.dumps(got)}"]


def _per_set(sizes: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, before, after in sizes:
        found.setdefault(name, []).append([before, after])
    return found


def _within(runs: Sequence[Sequence[Sequence[Any]]], got: Sequence[Sequence[Any]]) -> list[str]:
    """First entry and last size of each set as in one of the runs, no size outside what was seen."""
    found = []
    mine, seen = _per_set(got), [_per_set(run) for run in runs]
    for name in sorted({name for run in seen for name in run} | set(mine)):
        if name not in mine:
            if all(name in run for run in seen):
                found.append(f"sizes of {name}: none")
            continue
        theirs = [run[name] for run in seen if name in run]
        sizes = {size for run in theirs for pair in run for size in pair if size is not None}
        outside = sorted({size for pair in mine[name] for size in pair if size is not None and not _between(size, sizes)})
        if outside or not theirs:
            found.append(f"sizes of {name}: {outside} outside {sorted(sizes)}")
        elif mine[name][0] not in [run[0] for run in theirs] or mine[name][-1][1] not in [run[-1][1] for run in theirs]:
            found.append(f"sizes of {name}: first and last {mine[name][0]}, {mine[name][-1]}, recorded {theirs}")
    return found


def _between(size: int, seen: set[int]) -> bool:
    return min(seen) <= size <= max(seen)


def _one_less(recorded: Any, got: Any) -> bool:
    """Whether one list is the other without some entries in between."""
    if not isinstance(recorded, list):
        return False
    longer, shorter = (recorded, got) if len(recorded) > len(got) else (got, recorded)
    rest = iter(longer)
    return all(entry in rest for entry in shorter) and longer[0] == shorter[0]


# ------------------------------------------------------------------ what is run


def deployment(trace: Trace) -> list[str]:
    """A rollout, by the Deployment and ReplicaSet loops.

    On a machine with the usual reaction times everything is right, or else: what was the same in every recorded run is the same in most
    runs with other reaction times, and what was a race comes out as recorded in one of them in which nothing else differs.
    """
    from tests.oracle.traces_rollout import play, reactions

    usual = play(trace)
    if not differences(trace, usual):
        return []
    others = [play(trace, reaction) for reaction in reactions(trace)]
    wrong = sum(bool(exact(trace, got)) for got in others)
    if exact(trace, usual) and 2 * wrong >= len(others):
        return differences(trace, usual)
    return [] if any(not differences(trace, got) for got in others) else differences(trace, usual)


def hpa(trace: Trace) -> list[str]:
    """Every reconcile from what it read, and the sizes of a run of our own."""
    from tests.oracle.traces_autoscale import play
    from tests.oracle.traces_hpa import replay

    return [found for found in (replay(trace), play(trace)) if found]


def scaledown(trace: Trace) -> list[str]:
    """Victims of a scale-down, by the ReplicaSet's own order."""
    from tests.oracle.traces_rollout import victims

    return victims(trace)


def judges() -> dict[str, Judge]:
    """By the stem of the file: what runs its traces."""
    found: dict[str, Judge] = {"deployment": deployment, "scaledown": scaledown, "hpa": hpa}
    for name in ("statefulset", "scheduler"):
        if find_spec(f"tests.oracle.traces_{name}"):
            found[name] = partial(_replayed, import_module(f"tests.oracle.traces_{name}").replay)
    return found


def _replayed(replay: Callable[[Trace], str | None], trace: Trace) -> list[str]:
    found = replay(trace)
    return [found] if found else []


def kind_of(path: Path, traces: Sequence[Trace]) -> str:
    """What a file records: by its name, or else by what its traces have."""
    first = traces[0] if traces else {}
    if "reconciles" in first:
        return "hpa"
    facts = first.get("facts", {})
    for fact, kind in (("size_sequence", "deployment"), ("pod_sequence", "statefulset"), ("node_of_pod", "scheduler")):
        if fact in facts:
            return kind
    return "scaledown" if "runs" in first else path.stem


def run(paths: Iterable[Path | str]) -> Iterable[tuple[str, str | None]]:
    """(trace, None or what is not reproduced) of every trace in the files."""
    known = judges()
    for path in map(Path, paths):
        traces = json.loads(path.read_text(encoding="utf-8"))["traces"]
        kind = kind_of(path, traces)
        for trace in traces:
            name = f"{kind}/{trace['id']}"
            if kind not in known:
                yield name, f"{kind} traces are not supported"
                continue
            try:
                found = known[kind](trace)
            except Exception as error:
                found = [f"{type(error).__name__}: {error}"]
            yield name, "; ".join(found)[:600] or None
