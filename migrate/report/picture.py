"""The dependency graph as a self-contained SVG: columns are cutover waves, arrows point from caller to callee."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from migrate.report.plain_text import one_line

COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 250, 84, 176, 52, 40
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1a1f29}.net{font-size:11px;fill:#586174}.box{fill:#f5f7fa;stroke:#24618f}"
    ".call{stroke:#24618f;fill:none}.wait{stroke:#8a5a00;fill:none;stroke-dasharray:5 4}.tip{fill:#586174}.page{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e9ef}.net,.tip{fill:#a0a9ba}.box{fill:#1b212b;stroke:#7db8e8}.call{stroke:#7db8e8}"
    ".wait{stroke:#f0b95a}.page{fill:#12161d}}"
)


def svg(graph: Any) -> str:
    """The picture of a stack's graph (`migrate.graph.dependencies`); solid arrows call, dashed ones only wait."""
    from migrate.graph import positions, waves

    columns = waves(graph)
    tallest = max((len(wave) for wave in columns), default=1)
    middle = MARGIN + 30 + (tallest - 1) / 2 * ROW + HEIGHT / 2
    places = {name: (MARGIN + x * COLUMN, middle - y * ROW - HEIGHT / 2) for name, (x, y) in positions(graph).items()}
    width = 2 * MARGIN + max(0, len(columns) - 1) * COLUMN + WIDTH
    height = 2 * MARGIN + 30 + (tallest - 1) * ROW + HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img">',
        f"<title>Who needs whom, in {len(columns)} cutover waves</title><style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
        f'<rect class="page" width="{width:g}" height="{height:g}"/>',
        *(f'<text x="{MARGIN + n * COLUMN}" y="{MARGIN}">wave {n + 1}</text>' for n in range(len(columns))),
        *(_arrow(places[a], places[b], data) for a, b, data in graph.edges(data=True)),
        *(_box(name, graph.nodes[name]["networks"], x, y) for name, (x, y) in places.items()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(name: str, networks: tuple[str, ...], x: float, y: float) -> str:
    centre = x + WIDTH / 2
    return (
        f'<rect class="box" x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{centre:g}" y="{y + 22:g}" text-anchor="middle">{_text(name, 24)}</text>'
        f'<text class="net" x="{centre:g}" y="{y + 40:g}" text-anchor="middle">{_text(", ".join(networks), 30)}</text>'
    )


def _arrow(start: tuple[float, float], end: tuple[float, float], data: Any) -> str:
    """From the caller's box to the callee's; callees stand to the left (they move first), or in the same column."""
    (x0, y0), (x1, y1) = start, end
    y0, y1 = y0 + HEIGHT / 2, y1 + HEIGHT / 2
    kind = "call" if data["references"] else "wait"
    if x0 == x1:
        bend = x0 - 30
        path = f"M{x0:g} {y0:g}C{bend:g} {y0:g} {bend:g} {y1:g} {x1:g} {y1:g}"
    else:
        x1 += WIDTH
        half = (x0 + x1) / 2
        path = f"M{x0:g} {y0:g}C{half:g} {y0:g} {half:g} {y1:g} {x1:g} {y1:g}"
    ports = ", ".join(map(str, data["calls"]))
    label = (
        f'<text class="net" x="{(x0 + x1) / 2:g}" y="{(y0 + y1) / 2 - 4:g}" text-anchor="middle">{_text(ports, 20)}</text>' if ports else ""
    )
    return f'<path class="{kind}" marker-end="url(#tip)" d="{path}"/>{label}'


def _text(text: str, longest: int) -> str:
    text = one_line(text)
    return escape(text if len(text) <= longest else text[: longest - 1] + "…")
