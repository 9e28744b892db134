"""The run directory: `trace.json` (everything recorded, with stable columns) and the report's three forms, written all or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from simulate.manifests import read_text
from simulate.metrics import Context, PoolFacts, ScalerFacts, WorkloadFacts
from simulate.problems import InputError, OutputError, Problem
from simulate.spec import Assumption, Objective
from simulate.trace import (
    EventRecord,
    HpaRecord,
    JobRecord,
    NodeRecord,
    PodRecord,
    QuotaRecord,
    RevisionRecord,
    SampleRecord,
    ScaleRecord,
    StatusRecord,
    Trace,
    TrafficWindow,
    UsageWindow,
)

VERSION = 1
TABLES: Mapping[str, Any] = {
    "pods": PodRecord,
    "scales": ScaleRecord,
    "statuses": StatusRecord,
    "hpa": HpaRecord,
    "nodes": NodeRecord,
    "events": EventRecord,
    "revisions": RevisionRecord,
    "traffic": TrafficWindow,
    "usage": UsageWindow,
    "quotas": QuotaRecord,
    "samples": SampleRecord,
    "jobs": JobRecord,
}
ADDED = frozenset({"revisions", "quotas", "samples", "jobs"})
"""Tables that a trace of an earlier release does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One alternative: its settings by name, and the trace of each draw."""

    label: str
    context: Context
    traces: tuple[Trace, ...]
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a run directory holds. `plan`: what a search found, in the form of `capacity.as_data`; `reference`: label of the alternative
    that the others are held against, None = the first."""

    command: str
    versions: Mapping[str, str]
    digests: Mapping[str, str]
    variants: tuple[Variant, ...]
    plan: Mapping[str, Any] | None = None
    reference: str | None = None


def to_json(recorded: Recorded) -> str:
    """The text of trace.json: same data, same bytes.

    Columns of each table are the fields of its record in simulate/trace.py; `histogram` is bucket -> count (model.md 6.3).
    """
    data = {
        "version": VERSION,
        "command": recorded.command,
        "versions": dict(recorded.versions),
        "digests": dict(recorded.digests),
        "plan": recorded.plan,
        "reference": recorded.reference,
        "variants": [
            {
                "label": variant.label,
                "settings": dict(variant.settings),
                "context": _context_data(variant.context),
                "traces": [_trace_data(trace) for trace in variant.traces],
            }
            for variant in recorded.variants
        ],
    }
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _trace_data(trace: Trace) -> dict[str, Any]:
    tables = {name: {"columns": list(kind._fields), "rows": [list(row) for row in getattr(trace, name)]} for name, kind in TABLES.items()}
    return {"horizon_s": trace.horizon_s, "seed": trace.seed, "tables": tables}


def _context_data(context: Context) -> dict[str, Any]:
    return {
        "horizon_s": context.horizon_s,
        "seed": context.seed,
        "entries": list(context.entries),
        "workloads": [row._asdict() for row in context.workloads],
        "pools": [row._asdict() for row in context.pools],
        "autoscalers": [row._asdict() for row in context.autoscalers],
        "objectives": [asdict(objective) for objective in context.objectives],
        "assumptions": [asdict(assumption) for assumption in context.assumptions],
        "requests": context.requests,
    }


def from_json(text: str, file: str) -> Recorded:
    """The other way; InputError names the file when it is not what `to_json` wrote."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']} is not known")
        return Recorded(
            command=data["command"],
            versions=data["versions"],
            digests=data["digests"],
            plan=data["plan"],
            reference=data.get("reference"),
            variants=tuple(
                Variant(
                    label=variant["label"],
                    settings=variant["settings"],
                    context=_context(variant["context"]),
                    traces=tuple(_trace(trace) for trace in variant["traces"]),
                )
                for variant in data["variants"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError([Problem(file=file, line=0, column=0, message=f"is no trace that `simulate` wrote ({reason})")]) from None


def _context(data: Mapping[str, Any]) -> Context:
    return Context(
        horizon_s=data["horizon_s"],
        seed=data["seed"],
        entries=tuple(data["entries"]),
        workloads=tuple(WorkloadFacts(**row) for row in data["workloads"]),
        pools=tuple(PoolFacts(**row) for row in data["pools"]),
        autoscalers=tuple(ScalerFacts(**row) for row in data["autoscalers"]),
        objectives=tuple(
            Objective(service=row["service"], latency_s=tuple((q, s) for q, s in row["latency_s"]), errors_ratio=row["errors_ratio"])
            for row in data["objectives"]
        ),
        assumptions=tuple(Assumption(**row) for row in data["assumptions"]),
        requests=data.get("requests", ""),
    )


def _trace(data: Mapping[str, Any]) -> Trace:
    trace = Trace(horizon_s=data["horizon_s"], seed=data["seed"])
    for name, kind in TABLES.items():
        table = data["tables"].get(name, {"columns": [], "rows": []}) if name in ADDED else data["tables"][name]
        for row in table["rows"]:
            fields = dict(zip(table["columns"], row, strict=True))
            fields |= {key: tuple(fields[key]) for key in ("containers", "images") if isinstance(fields.get(key), list)}
            if "histogram" in fields:
                fields["histogram"] = {int(bucket): count for bucket, count in fields["histogram"].items()}
            getattr(trace, name).append(kind(**fields))
    return trace


def read(directory: Path) -> Recorded:
    """What `simulate run -o DIRECTORY` recorded."""
    if not directory.is_dir():
        raise InputError([Problem(file=str(directory), line=0, column=0, message="is no directory that `simulate ... -o` wrote")])
    path = directory / "trace.json"
    text, _ = read_text(path)
    return from_json(text, str(path))


def write(directory: Path, files: Mapping[str, str]) -> None:
    """Write files into a directory, made if it is not there. All are complete on the disk before the first takes its name.

    Files of other names are left alone. OutputError when it cannot be written; then no file has changed.
    """
    waiting: list[tuple[Path, Path]] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            if (directory / name).is_dir():
                raise IsADirectoryError(21, f"{name} is a directory")
            handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
            waiting.append((Path(temporary), directory / name))
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
                out.write(text)
            Path(temporary).chmod(0o644)
        for temporary_path, final in waiting:
            temporary_path.replace(final)
    except OSError as error:
        for temporary_path, _ in waiting:
            temporary_path.unlink(missing_ok=True)
        raise OutputError(f"{directory} cannot be written: {error.strerror or error}") from None


def joined(recorded: Sequence[tuple[str, Recorded]]) -> Recorded:
    """Several run directories as the alternatives of one report; the first is the one told in detail."""
    if len(recorded) == 1:
        return recorded[0][1]
    variants = []
    for name, each in recorded:
        for variant in each.variants:
            label = name if len(each.variants) == 1 else f"{name}: {variant.label}"
            variants.append(Variant(label=label, context=variant.context, traces=variant.traces, settings=variant.settings))
    first = recorded[0][1]
    digests = {f"{name}: {file}": digest for name, each in recorded for file, digest in each.digests.items()}
    command = "\n".join(each.command for _, each in recorded)
    return Recorded(command=command, versions=first.versions, digests=digests, variants=tuple(variants), plan=first.plan)
