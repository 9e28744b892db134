"""What a rollout, an autoscaler and the load do to users of a Kubernetes deployment, simulated request by request.

    >>> import simulate
    >>> sorted(simulate.__all__)
    ['InputError', 'OutputError', 'Result', 'autoscale', 'compare', 'plan', 'rollout', 'run']

Manifests are directories, files or plain data; the scenario is a file or plain data (docs/scenario.schema.json). Nothing is printed,
no clock and no environment are read, and nothing heavy is loaded before something is simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulate.problems import InputError, OutputError, Problem

if TYPE_CHECKING:
    from simulate.capacity import Plan
    from simulate.manifests import Manifests
    from simulate.metrics import Interval, Summary
    from simulate.report import Recorded, Report, Variant
    from simulate.scenario import Scenario
    from simulate.spec import Assumption, ClusterSpec
    from simulate.trace import Trace

Manifest = str | Path | Mapping[str, Any]
Progress = Callable[[str, float | None], None]
VERSIONED = ("numpy", "numba", "simpy", "matplotlib")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One setting: its specification and the trace of each draw, the first with `spec.seed`."""

    label: str
    spec: ClusterSpec
    traces: tuple[Trace, ...]
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What was simulated. The first alternative is the one that `trace`, `summary`, `plot` and `to_frame` show, by its first draw.

    `reference`: label of the alternative that the others are held against, None = the first.
    """

    alternatives: tuple[Alternative, ...]
    digests: Mapping[str, str]
    command: str = ""
    found: Plan | None = None
    reference: str | None = None

    @property
    def spec(self) -> ClusterSpec:
        """What was simulated, with every default."""
        return self.alternatives[0].spec

    @property
    def trace(self) -> Trace:
        """Everything that happened."""
        return self.alternatives[0].traces[0]

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What neither manifests nor scenario said, guesses first."""
        return self.spec.assumptions

    def summaries(self) -> tuple[Summary, ...]:
        """One summary a draw."""
        from simulate.metrics import context, summarize

        facts = context(self.spec)
        return tuple(summarize(facts, trace) for trace in self.alternatives[0].traces)

    def summary(self) -> Summary:
        """The first draw in numbers."""
        return self.summaries()[0]

    def intervals(self) -> dict[str, Interval]:
        """Mean of every figure over the draws, with its 95 % interval."""
        from simulate.metrics import intervals

        return intervals(self.summaries())

    def differences(self) -> dict[str, dict[str, Interval]]:
        """Label -> what each alternative is away from the reference, figure by figure: paired draw by draw on the same requests.

        An alternative that does not see the same requests has no figures.
        """
        from simulate.metrics import context, differences, summarize

        made = [(one.label, [summarize(context(one.spec), trace) for trace in one.traces]) for one in self.alternatives]
        reference = next((pair for pair in made if pair[0] == self.reference), made[0])
        return {label: differences(reference[1], draws) for label, draws in made if label != reference[0]}

    def plot(self) -> Any:
        """Four plots in a matplotlib figure: latency, failures, pods by state, CPU."""
        from simulate.figures import overview

        return overview(self.summary())

    def to_frame(self) -> Any:
        """A tidy pandas frame `t_s, kind, name, metric, value` (needs the extra `notebooks`)."""
        import pandas  # type: ignore[import-untyped]

        from simulate.metrics import tidy

        return pandas.DataFrame(tidy(self.summary()), columns=["t_s", "kind", "name", "metric", "value"])

    def recorded(self) -> Recorded:
        """What a run directory keeps."""
        from simulate.capacity import as_data
        from simulate.report import Recorded

        return Recorded(
            command=self.command or "simulate.run(...) in Python",
            versions=_versions(),
            digests=self.digests,
            variants=tuple(_variant(alternative) for alternative in self.alternatives),
            plan=None if self.found is None else as_data(self.found),
            reference=self.reference,
        )

    def report(self) -> Report:
        """The report, for `simulate.report.html` and its siblings."""
        from simulate.report import build

        return build(self.recorded())

    def write(self, directory: str | Path) -> tuple[Path, ...]:
        """trace.json and the report in its three forms; OutputError if that cannot be, and then nothing has changed."""
        from simulate.report import files, write

        made = files(self.recorded())
        write(Path(directory), made)
        return tuple(Path(directory) / name for name in made)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self.summary()))}</pre>"


def _variant(alternative: Alternative) -> Variant:
    from simulate.metrics import context
    from simulate.report import Variant

    facts = context(alternative.spec)
    return Variant(label=alternative.label, context=facts, traces=alternative.traces, settings=alternative.settings)


def _versions() -> dict[str, str]:
    import platform
    from importlib import metadata

    found = {"python": platform.python_version()}
    for name in ("compose-cutover", *VERSIONED):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _asked(
    manifests: Manifest | Sequence[Manifest], scenario: str | Path | Mapping[str, Any], stdin: str | None
) -> tuple[Manifests, Scenario, dict[str, str]]:
    """Both inputs and their digests, all faults of both at once."""
    from simulate import manifests as reader
    from simulate import scenario as asker

    sources = [manifests] if isinstance(manifests, str | Path | Mapping) else list(manifests)
    problems: list[Problem] = []
    try:
        said = reader.read(sources, stdin)
    except InputError as error:
        problems += error.problems
    try:
        asked = asker.read(scenario)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    name = "scenario" if isinstance(scenario, Mapping) else str(scenario)
    return said, asked, {**said.digests, name: asked.digest, **asked.recorded}


def _read(
    manifests: Manifest | Sequence[Manifest],
    scenario: str | Path | Mapping[str, Any],
    seed: int | None,
    stdin: str | None,
    engine: str | None = None,
    unfit: str | None = None,
) -> tuple[ClusterSpec, dict[str, str]]:
    """Both inputs joined. `engine` replaces the scenario's; `unfit`: why the fluid engine is refused, a key of fluid_watch.REASONS."""
    from simulate.model import join
    from simulate.spec import BIN_S

    said, asked, digests = _asked(manifests, scenario, stdin)
    if engine == "exact":
        asked = replace(asked, fluid_bin_s=None)
    elif engine == "fluid":
        asked = replace(asked, fluid_bin_s=asked.fluid_bin_s or BIN_S)
    elif engine is not None:
        raise ValueError(f"unknown engine {engine!r}: exact or fluid")
    spec = join(said, asked, seed)
    if spec.fluid_bin_s is not None:
        from simulate import sampled
        from simulate.traffic.fluid_watch import FluidRefused

        reasons = sampled.refused(unfit).reasons if unfit is not None else sampled.questions(spec)
        if reasons:
            raise sampled.placed(FluidRefused(reasons), spec, asked.document)
    return spec, digests


def _answered(traces: Callable[[], tuple[Trace, ...]], spec: ClusterSpec, scenario: str | Path | Mapping[str, Any]) -> tuple[Trace, ...]:
    """The draws; where the fluid engine made them the first one has the exact engine beside it, or its refusal has the place."""
    if spec.fluid_bin_s is None:
        return traces()
    from simulate import sampled
    from simulate import scenario as asker
    from simulate.traffic.fluid_watch import FluidRefused

    try:
        made = traces()
    except FluidRefused as error:
        raise sampled.placed(error, spec, asker.read(scenario).document) from None
    made[0].samples.extend(sampled.beside(spec, made[0]))
    return made


def _draws(spec: ClusterSpec, replications: int, progress: Progress, label: str, before: int = 0, of: int = 1) -> tuple[Trace, ...]:
    """The draws of one alternative, `before` of `of` being done."""
    from simulate import engine

    traces = []
    for i in range(replications):
        progress(f"{label}, draw {i + 1} of {replications}" if replications > 1 else label, (before + i / replications) / of)
        traces.append(engine.run(spec, spec.seed + i))
    return tuple(traces)


def _silent(_: str, __: float | None) -> None:
    """No progress."""


def run(
    manifests: Manifest | Sequence[Manifest],
    scenario: str | Path | Mapping[str, Any],
    seed: int | None = None,
    *,
    replications: int = 1,
    engine: str | None = None,
    stdin: str | None = None,
    progress: Progress = _silent,
) -> Result:
    """Simulate manifests under a scenario: `replications` draws with the seeds seed, seed + 1 ...

    `engine`: "exact" or "fluid" (expected flows for very large loads; docs/fluid.md) in place of the scenario's.
    InputError with every fault of the inputs at once. `progress` is told what begins, and the share that is done (None: not known).
    """
    spec, digests = _read(manifests, scenario, seed, stdin, engine)
    traces = _answered(lambda: _draws(spec, replications, progress, "simulating"), spec, scenario)
    return Result((Alternative("as given", spec, traces),), digests)


def rollout(
    manifests: Manifest | Sequence[Manifest],
    scenario: str | Path | Mapping[str, Any],
    deployment: str,
    seed: int | None = None,
    *,
    max_surge: Sequence[int | str] = (),
    max_unavailable: Sequence[int | str] = (),
    min_ready_s: Sequence[int] = (),
    prestop_s: Sequence[float] = (),
    replications: int = 1,
    stdin: str | None = None,
    progress: Progress = _silent,
) -> Result:
    """A rolling update under load: one alternative for each combination of the values given (none: as the manifest says)."""
    from simulate import capacity

    spec, digests = _read(manifests, scenario, seed, stdin, unfit="rollout")
    name = capacity.deployment_of(spec, deployment).name
    spec = capacity.with_rollout(spec, name)
    alternatives = []
    found = capacity.rollouts(spec, name, max_surge, max_unavailable, min_ready_s, prestop_s)
    for i, (label, settings, changed) in enumerate(found):
        alternatives.append(Alternative(label, changed, _draws(changed, replications, progress, label, i, len(found)), settings))
    return Result(tuple(alternatives), digests)


def autoscale(
    manifests: Manifest | Sequence[Manifest],
    scenario: str | Path | Mapping[str, Any],
    deployment: str,
    seed: int | None = None,
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    cpu_percent: Sequence[int] = (),
    replications: int = 1,
    engine: str | None = None,
    stdin: str | None = None,
    progress: Progress = _silent,
) -> Result:
    """An autoscaler under load, as `kubectl autoscale` makes it (what is not given: as the manifests say), an alternative per target.

    `engine` as in `run`.
    """
    from simulate import capacity

    spec, digests = _read(manifests, scenario, seed, stdin, engine)
    name = capacity.deployment_of(spec, deployment).name
    alternatives = []
    found = capacity.autoscalers(spec, name, minimum, maximum, cpu_percent)
    for i, (label, settings, changed) in enumerate(found):
        draws = partial(_draws, changed, replications, progress, label, i, len(found))
        alternatives.append(Alternative(label, changed, _answered(draws, changed, scenario), settings))
    return Result(tuple(alternatives), digests)


def compare(
    variants: Mapping[str, Manifest | Sequence[Manifest]] | Sequence[str],
    scenario: str | Path | Mapping[str, Any] | Sequence[str | Path | Mapping[str, Any]],
    seed: int | None = None,
    *,
    baseline: bool | None = None,
    replications: int = 1,
    stdin: str | None = None,
    progress: Progress = _silent,
) -> Result:
    """Variants of manifests beside each other and beside the world before, on the same requests, draw by draw.

    `variants`: label -> manifests, or texts `LABEL=PATH`. `scenario`: one for all, or one for each. `baseline`: whether the world before
    is the reference; None = where the (first) scenario has a `baseline`. It is the last alternative. InputError where the variants do not
    see the same requests, or there is nothing to compare.
    """
    from simulate import comparison as sides

    named = variants if isinstance(variants, Mapping) else sides.labelled(variants)
    given = [scenario] if isinstance(scenario, str | Path | Mapping) else list(scenario)
    specs, digests = _worlds(named, given, seed, baseline, stdin)
    sides.refuse_what_cannot_be_compared(specs)
    made = [
        Alternative(label, spec, _draws(spec, replications, progress, label, i, len(specs)))
        for i, (label, spec) in enumerate(specs.items())
    ]
    return Result(tuple(made), digests, reference=sides.BASELINE if sides.BASELINE in specs else made[0].label)


def _worlds(
    named: Mapping[str, Manifest | Sequence[Manifest]],
    given: Sequence[str | Path | Mapping[str, Any]],
    seed: int | None,
    baseline: bool | None,
    stdin: str | None,
) -> tuple[dict[str, ClusterSpec], dict[str, str]]:
    """The specification of each variant, and that of the world before last; all faults at once."""
    from simulate import baseline as before
    from simulate import comparison as sides
    from simulate.model import join

    specs: dict[str, ClusterSpec] = {}
    last: dict[str, ClusterSpec] = {}
    digests: dict[str, str] = {}
    problems: dict[Problem, None] = {}
    for (label, manifests), number in zip(named.items(), sides.scenarios_of(list(named), len(given)), strict=True):
        try:
            said, asked, found = _asked(manifests, given[number], stdin)
            digests |= found
            specs[label] = sides.without_note(join(said, asked, seed))
            if asked.fluid_bin_s is not None:
                from simulate import sampled

                raise sampled.placed(sampled.refused("pairs"), specs[label], asked.document)
            if len(specs) == 1 and (asked.baseline is not None if baseline is None else baseline):
                last[sides.BASELINE] = before.join(said, asked, specs[label])
        except InputError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise InputError(problems)
    return {**specs, **last}, digests


def plan(
    manifests: Manifest | Sequence[Manifest],
    scenario: str | Path | Mapping[str, Any],
    seed: int | None = None,
    *,
    replications: int = 3,
    stdin: str | None = None,
    progress: Progress = _silent,
) -> Result:
    """The cheapest settings that keep the objective (`found`), simulated beside what was given."""
    from simulate import capacity, engine

    spec, digests = _read(manifests, scenario, seed, stdin, unfit="search")
    found = capacity.plan(spec, engine.run, replications=replications, progress=progress)
    given = Alternative("as given", spec, found.given)
    alternatives = (Alternative("the settings found", found.spec, found.traces), given) if found.settings else (given,)
    return Result(alternatives, digests, found=found)


def with_command(result: Result, command: str) -> Result:
    """The result, noting the command line that makes it again."""
    return replace(result, command=command)


__all__ = ["InputError", "OutputError", "Result", "autoscale", "compare", "plan", "rollout", "run"]
