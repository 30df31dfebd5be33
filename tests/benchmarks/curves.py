"""Curves: rows drawn as an SVG, one panel for each unit, readable on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, log10

from tests.benchmarks.row import Row

_WIDTH, _HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 34, 40
_LEGEND = 26
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_STYLE = """\
<style>
  svg { --ink: #1f2328; --faint: #d1d9e0; --c0: #0550ae; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6edf3; --faint: #3d444d; --c0: #79c0ff; --c1: #ffa657; --c2: #7ee787; --c3: #d2a8ff; }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink); }
  .title { font-weight: 600; }
  .grid { stroke: var(--faint); }
  .curve { fill: none; stroke-width: 2; }
</style>"""


def curves(rows: Sequence[Row]) -> str:
    """The rows that have a point: for each panel a logarithmic axis of counts, and an axis of values from zero."""
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in rows:
        if row.point is not None and row.ours is not None:
            panel = panels.setdefault(f"{row.point.panel} ({row.unit})", {})
            panel.setdefault(row.point.curve, []).append((row.point.count, row.ours))
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    width = _WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT + _LEGEND}" width="{width}"'
        f' height="{_HEIGHT + _LEGEND}" role="img" aria-label="{escape("; ".join(panels))}">',
        _STYLE,
    ]
    for number, (title, panel) in enumerate(panels.items()):
        parts += [f'<g transform="translate({number * _WIDTH} 0)">', *_panel(title, panel, names), "</g>"]
    at: float = _LEFT
    for number, name in enumerate(names):
        parts.append(_line(number, f"M{at:.0f} {_HEIGHT + 8}h28"))
        parts.append(f'<text x="{at + 34:.0f}" y="{_HEIGHT + 12}">{escape(name)}</text>')
        at += 60 + 7 * len(name)
    return "\n".join([*parts, "</svg>\n"])


def _panel(title: str, panel: Mapping[str, Sequence[tuple[int, float]]], names: Sequence[str]) -> list[str]:
    points = [point for curve in panel.values() for point in curve]
    first, last = log10(min(count for count, _ in points)), log10(max(count for count, _ in points))
    step = _step(max(value for _, value in points))
    steps = max(1, ceil(max(value for _, value in points) / step))

    def x(count: int) -> float:
        return _LEFT + (log10(count) - first) / max(last - first, 1e-9) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / (step * steps) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<text class="title" x="{_LEFT}" y="18">{escape(title)}</text>']
    for number in range(steps + 1):
        at = y(number * step)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{number * step:,g}</text>')
    for count in sorted({count for count, _ in points}):
        anchor = "end" if count == 10**last and last > first else "middle"
        parts.append(f'<text x="{x(count):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="{anchor}">{count:,}</text>')
    for name, curve in panel.items():
        path = "".join(f"{'L' if place else 'M'}{x(n):.1f} {y(v):.1f}" for place, (n, v) in enumerate(sorted(curve)))
        number = names.index(name)
        parts.append(_line(number, path))
        parts += [
            f'<circle cx="{x(n):.1f}" cy="{y(v):.1f}" r="3" style="fill:var(--c{number % 4})"/>' for n, v in curve
        ]
    return parts


def _line(number: int, path: str) -> str:
    return (
        f'<path class="curve" d="{path}" style="stroke:var(--c{number % 4})" stroke-dasharray="{_DASHES[number % 4]}"/>'
    )


def _step(most: float) -> float:
    """A round distance of grid lines, of which four to eight make ``most``."""
    rough = most / 5
    power: float = 10 ** (ceil(log10(rough)) - 1)
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
