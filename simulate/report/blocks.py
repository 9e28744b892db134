"""What a report is made of: texts, tables, pictures, sections; and numbers as texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulate import figures
from simulate.metrics import Interval, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph; `role` good or bad marks a verdict."""

    text: str
    role: str = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of texts. `numeric`: columns to align right, by position; `folded`: closed on a screen until it is asked for."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A plot with its title, a sentence that says what to see, and its numbers. It is drawn when it is asked for."""

    name: str
    title: str
    says: str
    plot: figures.Plot
    numbers: Table

    def svg(self) -> str:
        """The plot as SVG for a page."""
        return figures.inline(figures.draw(self.plot), self.name, self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One of the six."""

    key: str
    title: str
    blocks: tuple[Text | Table | Picture, ...]


# ------------------------------------------------------------------ numbers as texts


def clock(t_s: float) -> str:
    """A time of the run.

    >>> clock(75.5), clock(3600), clock(0)
    ('1:15.5', '1:00:00', '0:00')
    """
    whole, part = divmod(round(t_s, 1), 1)
    minutes, rest = divmod(int(whole), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return text + (f".{round(part * 10)}" if part else "")


def number(value: float | None) -> str:
    """Three significant digits, thousands grouped.

    >>> number(1234567.0), number(0.01234), number(None)
    ('1,234,567', '0.0123', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(ratio: float) -> str:
    """A ratio as a percentage.

    >>> percent(0.00123), percent(0.0), percent(1.0)
    ('0.123 %', '0 %', '100 %')
    """
    return f"{ratio * 100:.3g} %"


def cores(value: float | None) -> str:
    """Cores as Kubernetes writes them.

    >>> cores(0.25), cores(2.0), cores(None)
    ('250m', '2', '-')
    """
    if value is None:
        return "-"
    return f"{value:g}" if value == int(value) else f"{round(value * 1000)}m"


def mebibytes(value: float | None) -> str:
    """Memory as Kubernetes writes it, rounded to MiB.

    >>> mebibytes(256 * 2**20), mebibytes(None)
    ('256Mi', '-')
    """
    return "-" if value is None else f"{round(value / 2**20)}Mi"


def ranged(found: Interval, shape: Callable[[float], str], mark: str = " (one draw)") -> str:
    """A number with its 95 % interval, or the mark of one draw (empty where a caption has it).

    >>> ranged(Interval(2.0, 0.5, 3), number), ranged(Interval(2.0, 0.0, 3), number), ranged(Interval(2.0, None, 1), number)
    ('2 (1.5 to 2.5)', '2', '2 (one draw)')
    """
    if found.half_width is None:
        return f"{shape(found.mean)}{mark}"
    if not found.half_width:
        return shape(found.mean)
    return f"{shape(found.mean)} ({shape(max(0.0, found.mean - found.half_width))} to {shape(found.mean + found.half_width)})"


def shape_of(name: str) -> Callable[[float], str]:
    """How a figure of `Summary.figures` is written."""
    if name.endswith("(s)"):
        return seconds
    return percent if name.endswith("ratio") else number
