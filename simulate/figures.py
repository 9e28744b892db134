"""Summary -> matplotlib figures, and figures -> inline SVG. Nothing else draws.

Colours are CSS variables in the SVG (with the light value where there is no style sheet), so that one picture serves light, dark and
print. The bytes depend on the data alone: fixed salt of identifiers, no date.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simulate.metrics import QUANTILES, Mark, Pods, Startup, Summary, causes_of, quantile_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# CSS variable -> light colour. Series are told apart also by people who do not see all colours (after Okabe and Ito), and in grey.
COLOURS: Mapping[str, str] = {
    "ink": "#1d2126",
    "muted": "#5b6470",
    "grid": "#dde1e6",
    "one": "#0066a6",
    "two": "#c24e00",
    "three": "#00805e",
    "four": "#a8437f",
    "five": "#8a6d00",
    "six": "#4a9fd4",
    "bad": "#b3261e",
}
Plot = Callable[[Any], None]
"""Draws on matplotlib axes."""

SERIES = ("one", "two", "three", "four", "five", "six")
STATE_COLOURS: Mapping[str, str] = {"ready": "three", "starting": "six", "pending": "five", "unready": "bad", "terminating": "muted"}
SIZE_INCHES = (5.4, 2.9)
FAR_ABOVE = 3.0


def _style() -> Any:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "simulate",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": COLOURS["ink"],
        "axes.edgecolor": COLOURS["muted"],
        "axes.labelcolor": COLOURS["muted"],
        "xtick.color": COLOURS["muted"],
        "ytick.color": COLOURS["muted"],
        "grid.color": COLOURS["grid"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "legend.fontsize": 9.5,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
    }


def draw(plot: Plot, size: tuple[float, float] = SIZE_INCHES) -> str:
    """One plot as SVG for embedding: no size of its own, colours as CSS variables, no identifiers in common with another plot's."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(_style()):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        plot(figure.add_subplot())
        _place(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()


def _place(figure: Figure) -> None:
    """Where everything stands, found once: a figure that is laid out while it is saved is drawn twice."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine(None)


def inline(svg: str, name: str, title: str) -> str:
    """`draw`'s result made fit for a page: identifiers prefixed by `name`, an accessible title, no XML prologue."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    for variable, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{variable}, {colour})")
    body = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", body)
    head, rest = body.split(">", 1)
    head = re.sub(r' (width|height|version)="[^"]*"', "", head)
    head = re.sub(r' xmlns:?\w*="[^"]*"', "", head)
    rest = rest.replace("xlink:href", "href")
    safe = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return f'{head} role="img" aria-label="{safe}">{rest}'.strip()


# ------------------------------------------------------------------ time


def time_unit(horizon_s: float) -> tuple[float, str]:
    """Seconds in the unit of a time axis, and its name.

    >>> time_unit(60), time_unit(1800), time_unit(86400)
    ((1.0, 'seconds'), (60.0, 'minutes'), (3600.0, 'hours'))
    """
    if horizon_s < 180:
        return 1.0, "seconds"
    return (60.0, "minutes") if horizon_s < 3 * 3600 else (3600.0, "hours")


def _over_time(axes: Axes, horizon_s: float, marks: Sequence[Mark], label: str) -> None:
    unit, name = time_unit(horizon_s)
    axes.set_xlim(0, horizon_s / unit)
    axes.set_xlabel(f"time ({name})")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    for mark in marks:
        axes.axvline(mark.t_s / unit, color=COLOURS["ink"], linewidth=0.8, linestyle=(0, (2, 2)))


def _legend(axes: Axes, columns: int = 3) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, borderaxespad=0.2, columnspacing=1.2, handlelength=1.6)


# ------------------------------------------------------------------ what users feel


def latency(summary: Summary, service: str, axes: Axes) -> None:
    """Quantiles of ok latencies in each window, with the objective's bounds."""
    windows = [felt for felt in summary.felt if felt.service == service]
    unit, _ = time_unit(summary.context.horizon_s)
    for i, q in enumerate(QUANTILES[:3]):
        points = [(w.end_s + w.start_s) / 2 / unit for w in windows]
        values = [_milliseconds(w.quantiles_s[i]) for w in windows]
        axes.plot(points, values, color=COLOURS[SERIES[i]], linewidth=1.6, label=quantile_name(q))
    _bounds(summary, service, max((_milliseconds(v) for w in windows for v in w.quantiles_s[:3] if v is not None), default=0.0), axes)
    _over_time(axes, summary.context.horizon_s, summary.marks, "latency (ms)")
    _legend(axes, 4)


def _bounds(summary: Summary, service: str, highest_ms: float, axes: Axes) -> None:
    """The objective as lines; one far above all curves is only named, so that the curves keep their shape."""
    for verdict in summary.verdicts:
        if verdict.service != service or not verdict.clause.endswith("latency"):
            continue
        name = f"objective {verdict.clause.split()[0]}"
        wanted_ms = verdict.wanted * 1000
        if wanted_ms > FAR_ABOVE * highest_ms > 0:
            axes.plot([], [], color=COLOURS["bad"], linewidth=1, linestyle="--", label=f"{name}: {wanted_ms:g} ms, far above")
        else:
            axes.axhline(wanted_ms, color=COLOURS["bad"], linewidth=1, linestyle="--", label=name)


def _milliseconds(value: float | None) -> float:
    return float("nan") if value is None else value * 1000


def errors(summary: Summary, service: str, axes: Axes) -> None:
    """Arrivals per second, and failed requests per second by cause, stacked."""
    windows = [felt for felt in summary.felt if felt.service == service]
    unit, _ = time_unit(summary.context.horizon_s)
    starts = [w.start_s / unit for w in windows]
    widths = [(w.end_s - w.start_s) / unit for w in windows]
    base = [0.0] * len(windows)
    for i, cause in enumerate(causes_of(windows)):
        heights = [w.failed.get(cause, 0) / (w.end_s - w.start_s) for w in windows]
        axes.bar(
            starts, heights, widths, bottom=base, align="edge", color=COLOURS[("bad", *SERIES[1:])[i % 6]], label=cause.replace("_", " ")
        )
        base = [b + h for b, h in zip(base, heights, strict=True)]
    _over_time(axes, summary.context.horizon_s, summary.marks, "failed requests / s")
    if not any(base):
        axes.set_ylim(0, 1)
        axes.text(0.5, 0.5, "no request failed", transform=axes.transAxes, ha="center", color=COLOURS["muted"])
    _legend(axes)


def load(summary: Summary, service: str, axes: Axes) -> None:
    """Requests that arrive per second."""
    windows = [felt for felt in summary.felt if felt.service == service]
    unit, _ = time_unit(summary.context.horizon_s)
    axes.stairs(
        [w.arrived / (w.end_s - w.start_s) for w in windows],
        [*(w.start_s / unit for w in windows), windows[-1].end_s / unit],
        color=COLOURS["one"],
        baseline=None,
        linewidth=1.6,
    )
    _over_time(axes, summary.context.horizon_s, summary.marks, "requests / s")


# ------------------------------------------------------------------ what the cluster does


def replicas(summary: Summary, workload: str, axes: Axes) -> None:
    """Replicas wanted, existing and ready, as steps."""
    rows = summary.replicas_by.get(workload, ())
    unit, _ = time_unit(summary.context.horizon_s)
    times = [*(row.t_s / unit for row in rows), summary.context.horizon_s / unit]
    for metric, colour, style in (("wanted", "one", "--"), ("had", "two", "-"), ("ready", "three", "-")):
        values = [getattr(row, metric) for row in rows]
        axes.plot(times, [*values, values[-1]], drawstyle="steps-post", color=COLOURS[colour], linestyle=style, linewidth=1.6, label=metric)
    _over_time(axes, summary.context.horizon_s, summary.marks, "pods")
    axes.locator_params(axis="y", integer=True)
    _legend(axes)


def pods(summary: Summary, axes: Axes) -> None:
    """Pods of all workloads by state, stacked, at every change."""
    unit, _ = time_unit(summary.context.horizon_s)
    rows = summary.pod_changes
    names = [name for name in STATE_COLOURS if any(getattr(row, name) for row in rows)]
    if names:
        times = [*(row.t_s / unit for row in rows), summary.context.horizon_s / unit]
        axes.stackplot(
            times,
            [[*(getattr(row, name) for row in rows), getattr(rows[-1], name)] for name in names],
            colors=[COLOURS[STATE_COLOURS[name]] for name in names],
            labels=names,
            step="post",
            linewidth=0,
        )
    _over_time(axes, summary.context.horizon_s, summary.marks, "pods")
    axes.locator_params(axis="y", integer=True)
    _legend(axes, 5)


def nodes(summary: Summary, axes: Axes) -> None:
    """Ready nodes, as steps."""
    unit, _ = time_unit(summary.context.horizon_s)
    times = [*(t / unit for t, _ in summary.nodes), summary.context.horizon_s / unit]
    values = [count for _, count in summary.nodes]
    axes.plot(times, [*values, values[-1]], drawstyle="steps-post", color=COLOURS["one"], linewidth=1.6)
    _over_time(axes, summary.context.horizon_s, summary.marks, "ready nodes")
    axes.locator_params(axis="y", integer=True)


def cpu(summary: Summary, workload: str, axes: Axes) -> None:
    """Cores used by a workload's pods, requested and limited."""
    rows = summary.used_by.get(workload, ())
    _resource(
        summary,
        axes,
        rows,
        [row.used_cores for row in rows],
        [row.requested_cores for row in rows],
        [row.limit_cores for row in rows],
        "cores",
    )


def memory(summary: Summary, workload: str, axes: Axes) -> None:
    """Memory used by a workload's pods, requested and limited, in MiB."""
    rows = summary.used_by.get(workload, ())
    facts = next(each for each in summary.context.workloads if each.name == workload)
    mib = 2**20
    asked = [None if facts.request_bytes is None else facts.request_bytes * row.pods / mib for row in rows]
    limit = [None if facts.limit_bytes is None else facts.limit_bytes * row.pods / mib for row in rows]
    _resource(summary, axes, rows, [row.memory_bytes / mib for row in rows], asked, limit, "MiB")


def _resource(
    summary: Summary,
    axes: Axes,
    rows: Sequence[Any],
    used: Sequence[float],
    asked: Sequence[float | None],
    limit: Sequence[float | None],
    label: str,
) -> None:
    unit, _ = time_unit(summary.context.horizon_s)
    times = [(row.start_s + row.end_s) / 2 / unit for row in rows]
    axes.fill_between(times, used, color=COLOURS["one"], alpha=0.25, linewidth=0)
    for values, name, colour, style in ((used, "used", "one", "-"), (asked, "requested", "three", "--"), (limit, "limit", "bad", ":")):
        if any(values):
            axes.plot(
                times, [float("nan") if v is None else v for v in values], color=COLOURS[colour], linestyle=style, linewidth=1.6, label=name
            )
    _over_time(axes, summary.context.horizon_s, summary.marks, label)
    _legend(axes)


PHASES = (("node_s", "waiting for a node", "five"), ("image_s", "sandbox and image", "six"), ("start_s", "start until ready", "three"))


def waterfall(startups: Sequence[Startup], axes: Axes) -> None:
    """Phases of the slowest starts, one bar a pod."""
    names = [startup.pod for startup in startups]
    base = [0.0] * len(names)
    for metric, label, colour in PHASES:
        widths = [getattr(startup, metric) for startup in startups]
        axes.barh(range(len(names)), widths, left=base, color=COLOURS[colour], label=label, height=0.6)
        base = [b + w for b, w in zip(base, widths, strict=True)]
    axes.set_yticks(range(len(names)), [name if len(name) < 26 else f"{name[:12]}...{name[-10:]}" for name in names], fontsize=9)
    axes.set_ylim(max(len(names), 4) - 0.4, -0.6)
    axes.set_xlabel("seconds since the pod was created")
    axes.grid(visible=False, axis="y")
    _legend(axes)


def sides(rows: Sequence[tuple[str, float, float]], label: str, axes: Axes) -> None:
    """One bar an alternative (name, value, half width of its interval), the first as reference."""
    names = [name for name, _, _ in rows]
    colours = [COLOURS["muted"], *[COLOURS["one"]] * (len(rows) - 1)]
    spans = [half for _, _, half in rows]
    values = [value for _, value, _ in rows]
    axes.barh(range(len(rows)), values, color=colours, height=0.6)
    if any(spans):
        axes.errorbar(values, range(len(rows)), xerr=spans, fmt="none", ecolor=COLOURS["ink"], capsize=3)
    for i, (value, half) in enumerate(zip(values, spans, strict=True)):
        place = (value + half, i)
        axes.annotate(f"{value:.3g}", place, (4, 0), textcoords="offset points", va="center", color=COLOURS["ink"], fontsize=9)
    axes.set_yticks(range(len(rows)), [name if len(name) < 26 else f"{name[:12]}...{name[-10:]}" for name in names], fontsize=9)
    axes.set_ylim(max(len(rows), 4) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel(label)
    axes.grid(visible=False, axis="y")


def headroom(points: Sequence[tuple[float, float | None]], bound_s: float | None, label: str, axes: Axes) -> None:
    """A latency quantile against the factor of the load."""
    factors = [factor for factor, _ in points]
    axes.plot(factors, [_milliseconds(value) for _, value in points], color=COLOURS["one"], marker="o", linewidth=1.6, label=label)
    if bound_s is not None:
        axes.axhline(bound_s * 1000, color=COLOURS["bad"], linewidth=1, linestyle="--", label="objective")
    axes.set_xlabel("load, as a multiple of today's")
    axes.set_ylabel("latency (ms)")
    axes.set_ylim(bottom=0)
    _legend(axes)


def _shown() -> type[Figure]:
    """A figure that a notebook shows without pyplot and its global state."""
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            out = io.BytesIO()
            self.savefig(out, format="png", dpi=110, facecolor="white", metadata={"Software": None})
            return out.getvalue()

    return Shown


def overview(summary: Summary) -> Figure:
    """Four plots in one figure, for a notebook: latency, failures, pods by state, CPU of the busiest workload."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with rc_context(_style()):
        figure = _shown()(figsize=(12, 6.4), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(2, 2)
        if summary.context.entries and summary.felt:
            entry = summary.context.entries[0]
            latency(summary, entry, grid[0][0])
            grid[0][0].set_title(f"Latency of {entry}", loc="left", pad=22)
            errors(summary, entry, grid[0][1])
            grid[0][1].set_title(f"Failed requests of {entry}", loc="left", pad=22)
        pods(summary, grid[1][0])
        grid[1][0].set_title("Pods by state", loc="left", pad=22)
        busiest = max(summary.used, key=lambda row: row.used_cores, default=None)
        if busiest is not None:
            cpu(summary, busiest.workload, grid[1][1])
            grid[1][1].set_title(f"CPU of {busiest.workload}", loc="left", pad=22)
    return figure


__all__ = ["COLOURS", "Pods", "draw", "inline", "overview"]
