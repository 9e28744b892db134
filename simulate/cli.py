"""Arguments -> verb -> print -> exit status: the only file of `simulate` that prints, reads standard input or exits.

Exit status: 0 done; 1 done, with something at or above `--fail-on`; 2 the input could not be used, the output not be written, or the
command line was wrong; 130 interrupted. Standard output has the result, standard error what went wrong and progress on a terminal.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from simulate.problems import InputError, OutputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from simulate import Result
    from simulate.report.blocks import Table

WIDTH = 132
SEVERITIES = ("error", "warning", "never")


def shown(text: object) -> str:
    r"""Text of an input made safe for a terminal: control characters become visible.

    >>> shown("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(c if c.isprintable() or c in "\n " else repr(c)[1:-1] for c in str(text))


# ------------------------------------------------------------------ options


class _Values(click.ParamType[Any]):
    """Values separated by commas."""

    def __init__(self, one: Callable[[str], Any], wanted: str) -> None:
        self.one, self.name = one, wanted

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return tuple(dict.fromkeys(self.one(part.strip()) for part in value.split(",")))
        except ValueError:
            self.fail(f"{value!r} is not {self.name}", param, ctx)


def _share(text: str) -> int | str:
    if text.endswith("%") and text[:-1].isdigit():
        return text
    return _count(text)


def _count(text: str) -> int:
    if not text.isdigit():
        raise ValueError(text)
    return int(text)


def _seconds(text: str) -> float:
    from simulate.quantity import parse_duration

    value = parse_duration(text)
    if value < 0:
        raise ValueError(text)
    return value


def _inputs(command: Callable[..., None]) -> Callable[..., None]:
    """Arguments and options that every simulating command has."""
    for decorate in reversed(
        (
            click.argument("manifests", nargs=-1, required=True, metavar="MANIFESTS..."),
            click.option("-s", "--scenario", required=True, metavar="FILE", help="scenario.yaml: load, work per request, nodes, events."),
            click.option("--seed", type=click.IntRange(min=0), help="Of every random draw; default: the scenario's, else 1."),
            click.option("-o", "--output", metavar="DIR", help="Write trace.json, report.html, report.md and report.json there."),
            click.option(
                "--fail-on", type=click.Choice(SEVERITIES), default="error", show_default=True, help="End with 1 from this severity on."
            ),
        )
    ):
        command = decorate(command)
    return command


def _engine(command: Callable[..., None]) -> Callable[..., None]:
    """The choice between every request and expected flows."""
    said = "exact: every request; fluid: expected flows, for very large loads. Default: the scenario's, else exact."
    return click.option("--engine", type=click.Choice(("exact", "fluid")), help=said)(command)


def _replications(default: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    said = "Draws with the seeds N, N + 1 ...; from two on every number has its interval."
    return click.option("--replications", type=click.IntRange(min=1, max=1000), default=default, show_default=True, help=said)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="compose-cutover", prog_name="simulate")
def cli() -> None:
    """Simulate Kubernetes manifests under load: requests, rollouts, autoscaling, lost nodes.

    MANIFESTS are directories or files of Kubernetes YAML, or - for standard input (kubectl kustomize, helm template).
    """


@cli.command()
@_inputs
@_replications(1)
@_engine
def run(
    manifests: tuple[str, ...], scenario: str, seed: int | None, output: str | None, fail_on: str, replications: int, engine: str | None
) -> None:
    """One run, or several draws with intervals."""
    import simulate

    with _progress() as progress:
        result = simulate.run(
            manifests, scenario, seed, replications=replications, engine=engine, stdin=_stdin(manifests), progress=progress
        )
    _finish(result, output, fail_on)


@cli.command()
@_inputs
@_replications(1)
@click.option("--deployment", required=True, metavar="NAME", help="What is rolled out.")
@click.option("--max-surge", type=_Values(_share, "numbers or percentages such as 1,25%"), default=(), metavar="N,N%...")
@click.option("--max-unavailable", type=_Values(_share, "numbers or percentages such as 0,1"), default=(), metavar="N,N%...")
@click.option("--min-ready-seconds", type=_Values(_count, "whole numbers such as 0,10"), default=(), metavar="N,...")
@click.option(
    "--pre-stop", type=_Values(_seconds, "durations such as 0s,5s"), default=(), metavar="DURATION,...", help="Sleep before SIGTERM."
)
def rollout(
    manifests: tuple[str, ...],
    scenario: str,
    seed: int | None,
    output: str | None,
    fail_on: str,
    replications: int,
    deployment: str,
    max_surge: tuple[int | str, ...],
    max_unavailable: tuple[int | str, ...],
    min_ready_seconds: tuple[int, ...],
    pre_stop: tuple[float, ...],
) -> None:
    """A rolling update under load; several values are put side by side."""
    import simulate

    with _progress() as progress:
        result = simulate.rollout(
            manifests,
            scenario,
            deployment,
            seed,
            max_surge=max_surge,
            max_unavailable=max_unavailable,
            min_ready_s=min_ready_seconds,
            prestop_s=pre_stop,
            replications=replications,
            stdin=_stdin(manifests),
            progress=progress,
        )
    _finish(result, output, fail_on, [_rollout_view])


@cli.command()
@_inputs
@_replications(1)
@_engine
@click.option("--deployment", required=True, metavar="NAME", help="What is scaled.")
@click.option("--min", "minimum", type=click.IntRange(min=1), help="Fewest replicas.")
@click.option("--max", "maximum", type=click.IntRange(min=1), help="Most replicas.")
@click.option(
    "--cpu-percent", type=_Values(_count, "whole numbers such as 50,70"), default=(), metavar="N,...", help="Target, of the requests."
)
def autoscale(
    manifests: tuple[str, ...],
    scenario: str,
    seed: int | None,
    output: str | None,
    fail_on: str,
    replications: int,
    deployment: str,
    minimum: int | None,
    maximum: int | None,
    cpu_percent: tuple[int, ...],
    engine: str | None,
) -> None:
    """The autoscaler against load, with `kubectl get hpa` over time."""
    import simulate

    if 0 in cpu_percent:
        raise click.BadParameter("must be at least 1", param_hint="--cpu-percent")
    with _progress() as progress:
        result = simulate.autoscale(
            manifests,
            scenario,
            deployment,
            seed,
            minimum=minimum,
            maximum=maximum,
            cpu_percent=cpu_percent,
            replications=replications,
            engine=engine,
            stdin=_stdin(manifests),
            progress=progress,
        )
    _finish(result, output, fail_on, [_hpa_view])


@cli.command()
@_inputs
@_replications(3)
def plan(manifests: tuple[str, ...], scenario: str, seed: int | None, output: str | None, fail_on: str, replications: int) -> None:
    """The cheapest replicas, requests and HPA target that keep the objective, and the head-room."""
    import simulate

    with _progress() as progress:
        result = simulate.plan(manifests, scenario, seed, replications=replications, stdin=_stdin(manifests), progress=progress)
    _finish(result, output, fail_on)


@cli.command()
@click.argument("variants", nargs=-1, required=True, metavar="[LABEL=]MANIFESTS...")
@click.option("-s", "--scenario", "scenarios", required=True, multiple=True, metavar="FILE", help="One for all, or one for each variant.")
@click.option("--seed", type=click.IntRange(min=0), help="Of every random draw; default: the scenario's, else 1.")
@click.option("--baseline/--no-baseline", default=None, help="The world before as reference; default: where the scenario has a baseline.")
@click.option("-o", "--output", metavar="DIR", help="Write trace.json, report.html, report.md and report.json there.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), default="error", show_default=True, help="End with 1 from this severity on.")
@_replications(1)
def compare(
    variants: tuple[str, ...],
    scenarios: tuple[str, ...],
    seed: int | None,
    baseline: bool | None,
    output: str | None,
    fail_on: str,
    replications: int,
) -> None:
    """What-if table: variants of manifests, and the VMs or Compose hosts of the scenario's `baseline`, on the same requests.

    Each argument is one variant: a directory or file of manifests, or - for standard input. Differences are paired draw by draw.
    """
    import simulate
    from simulate.comparison import labelled

    named = labelled(variants)
    stdin = _stdin(tuple(named.values()))
    with _progress() as progress:
        result = simulate.compare(named, scenarios, seed, baseline=baseline, replications=replications, stdin=stdin, progress=progress)
    _finish(result, output, fail_on)


@cli.command()
@click.option("-n", "--namespace", default="default", show_default=True, metavar="NAME", help="What runs there is taken.")
@click.option("--kubeconfig", metavar="FILE", help="The account; default: as kubectl finds it.")
@click.option("--context", metavar="NAME", help="Of the kubeconfig; default: the current one.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Write manifests.yaml and scenario.yaml there.")
def capture(namespace: str, kubeconfig: str | None, context: str | None, output: str) -> None:
    """What runs in a cluster now, as input: manifests of a namespace, and a scenario with the nodes.

    Nothing is changed; Secrets, ConfigMaps and the environment of containers are not taken.
    """
    from simulate import live
    from simulate.report import write

    found = live.capture(live.Server(kubeconfig, context), namespace)
    write(Path(output), live.texts(found, namespace))
    for note in found.notes:
        click.echo(f"warning: {shown(note)}", err=True)
    folder = Path(output)
    click.echo(f"{len(found.manifests)} objects of namespace {shown(namespace)}, {len(found.nodes)} pools of nodes.")
    click.echo(
        f"Next: add the load to {folder / 'scenario.yaml'}, then: simulate run {folder / 'manifests.yaml'} -s {folder / 'scenario.yaml'}"
    )


@cli.command()
@click.argument("directories", nargs=-1, required=True, metavar="RUNDIR...")
@click.option("-o", "--output", metavar="DIR", help="Write report.html, report.md and report.json there instead of printing.")
@click.option("--format", "form", type=click.Choice(("html", "md", "json")), default="html", show_default=True, help="What is printed.")
def report(directories: tuple[str, ...], output: str | None, form: str) -> None:
    """The report of one run directory, or of several side by side."""
    from simulate import report as reporter

    problems: list[Problem] = []
    recorded = []
    for name in directories:
        try:
            recorded.append((name.rstrip("/"), reporter.read(Path(name))))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    made = reporter.build(reporter.joined(recorded))
    texts = {"report.html": reporter.html(made), "report.md": reporter.markdown(made), "report.json": reporter.as_json(made)}
    if output is None:
        click.echo(texts[f"report.{form}"], nl=False)
        return
    reporter.write(Path(output), texts)
    click.echo("\n".join(str(Path(output) / name) for name in texts))


# ------------------------------------------------------------------ output


def _stdin(manifests: Sequence[str]) -> str | None:
    if "-" not in manifests:
        return None
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError([Problem(file="standard input", line=0, column=0, message="is not UTF-8 text")]) from None


@contextmanager
def _progress() -> Iterator[Callable[[str, float | None], None]]:
    """A line of progress and time left on standard error where that is a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    text = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), text, BarColumn(bar_width=20), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda text, done: bar.update(task, description=shown(text), completed=done or 0.0, total=None if done is None else 1.0)


def _console() -> Console:
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(width=None if terminal else WIDTH, highlight=False, soft_wrap=False)


def _print_table(console: Console, table: Table, limit: int | None = None) -> None:
    from rich import box
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(table.columns):
        first = max((len(row[0]) for row in table.rows), default=0) if i == 0 else 0
        align: Literal["left", "right"] = "right" if i in table.numeric else "left"
        drawn.add_column(Text(shown(column)), justify=align, overflow="fold", min_width=min(first, 48))
    for row in table.rows[:limit]:
        drawn.add_row(*(Text(shown(cell)) for cell in row))
    console.print(Text(shown(table.caption), style="bold"))
    console.print(drawn)
    if limit is not None and len(table.rows) > limit:
        console.print(f"... and {len(table.rows) - limit} more; -o DIR writes all of them", style="dim")


def _finish(result: Result, output: str | None, fail_on: str, views: Sequence[Callable[[Console, Result], None]] = ()) -> None:
    """Write, print, and end with the status that `fail_on` asks for."""
    from simulate import with_command
    from simulate.report import build
    from simulate.traffic.limits import WITHOUT_COMPILER, has_compiler

    result = with_command(result, _command_line())
    written = result.write(output) if output is not None else ()
    console, told = _console(), build(result.recorded())
    _print_answer(console, told.sections[0].blocks)
    for view in views:
        view(console, result)
    if len(result.alternatives) > 1:
        _print_blocks(console, told.sections[3].blocks, limit=40)
    if written:
        console.print("\n".join(shown(path) for path in written), soft_wrap=True)
    else:
        console.print("Next: the same with -o DIR writes the report (HTML, Markdown, JSON) and the trace.", style="dim")
    warnings = list(_warnings(result))
    for text in warnings:
        click.echo(f"warning: {shown(text)}", err=True)
    if not has_compiler():
        click.echo(f"note: {WITHOUT_COMPILER}", err=True)
    if warnings and fail_on == "warning":
        raise SystemExit(1)


def _command_line() -> str:
    """The command line as it was typed."""
    return shlex.join(["simulate", *sys.argv[1:]])


def _print_answer(console: Console, blocks: Iterable[Any]) -> None:
    from rich.text import Text as Line

    from simulate.report.blocks import Table, Text

    styles = {"good": "bold green", "bad": "bold red", "plain": ""}
    for block in blocks:
        if isinstance(block, Text):
            console.print(Line(shown(block.text), style=styles[block.role]))
        elif isinstance(block, Table):
            _print_table(console, block, limit=24)


def _print_blocks(console: Console, blocks: Iterable[Any], limit: int) -> None:
    from simulate.report.blocks import Table

    for block in blocks:
        if isinstance(block, Table):
            _print_table(console, block, limit)


def _lines(console: Console, title: str, lines: Sequence[str], limit: int = 60) -> None:
    from rich.text import Text as Line

    console.print(Line(shown(title), style="bold"))
    for line in lines[:limit]:
        console.print(Line(shown(line)), soft_wrap=True)
    if len(lines) > limit:
        console.print(f"... and {len(lines) - limit} more; -o DIR writes all of them", style="dim")
    console.print()


def _rollout_view(console: Console, result: Result) -> None:
    """What `kubectl` would have shown of the rollout, of the first alternative."""
    from simulate import views

    first, name = result.alternatives[0], result.alternatives[0].settings["deployment"]
    at_s = next((e.at_s for e in first.spec.events if e.verb == "rollout" and e.target == name), 0.0)
    start_s = next((s.t_s for s in result.trace.statuses if s.workload == name and s.t_s > at_s), at_s)
    where = f" ({first.label})" if len(result.alternatives) > 1 else ""
    _lines(console, f"kubectl rollout status deployment/{name}{where}", views.rollout_status(result.trace, name, start_s))
    _lines(console, f"kubectl get rs -w{where}", views.watch_rs(result.trace, name, at_s))


def _hpa_view(console: Console, result: Result) -> None:
    """`kubectl get hpa -w`, a line at each change, of the first alternative."""
    from simulate import views

    first = result.alternatives[0]
    scaler = next(a for a in first.spec.autoscalers if a.target == first.settings["deployment"])
    where = f" ({first.label})" if len(result.alternatives) > 1 else ""
    _lines(console, f"kubectl get hpa {scaler.name} -w, at each change{where}", views.get_hpa(result.trace, scaler.name, changes_only=True))


def _warnings(result: Result) -> Iterable[str]:
    """What `--fail-on warning` looks at: clauses that did not hold, failed requests that no clause allows; not in the world before."""
    from simulate.hosts import HostsSpec
    from simulate.metrics import context, summarize

    for alternative in result.alternatives:
        if isinstance(alternative.spec, HostsSpec):
            continue
        facts = context(alternative.spec)
        for trace in alternative.traces:
            summary = summarize(facts, trace)
            where = f" ({alternative.label}, seed {trace.seed})" if len(result.alternatives) + len(alternative.traces) > 2 else ""
            for verdict in summary.verdicts:
                if not verdict.held:
                    yield f"{verdict.service}: the objective for its {verdict.clause} does not hold{where}"
            judged = {objective.service for objective in facts.objectives if objective.errors_ratio is not None}
            for felt in summary.totals:
                failed = sum(felt.failed.values())
                if failed and felt.service not in judged:
                    yield f"{felt.service}: {failed} requests failed{where}"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command `simulate`; ends the process."""
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="simulate", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        raise SystemExit(2) from None
    except click.ClickException as error:
        click.echo(shown(_usage(error)), err=True)
        raise SystemExit(2) from None
    except (click.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    except InputError as error:
        for problem in error.problems:
            click.echo(f"error: {shown(problem)}", err=True)
        raise SystemExit(2) from None
    except OutputError as error:
        click.echo(f"error: {shown(error)}", err=True)
        raise SystemExit(2) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    raise SystemExit(0)


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f"\nTry '{context.command_path} --help'." if context is not None else ""
    return f"error: {error.format_message()}{hint}"
