"""A run as a picture: one small chart for each series, as SVG without any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.soak.slope import WARM_UP, Trend

Points = Sequence[tuple[float, float]]
_WIDTH, _HEIGHT, _GAP, _LEFT = 760, 90, 34, 70
_BARS = "▁▂▃▄▅▆▇█"


def svg(title: str, series: Mapping[str, Points], trends: Sequence[Trend]) -> str:
    """Draw each series under its name and trend; the warm-up is shaded."""
    height = (_HEIGHT + _GAP) * len(trends) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif"'
        f' font-size="12"><rect width="100%" height="100%" fill="white"/><text x="10" y="20">{escape(title)}</text>'
    ]
    for row, trend in enumerate(trends):
        parts.append(_chart(trend, series[trend.name], (_HEIGHT + _GAP) * row + _GAP + 20))
    return "\n".join([*parts, "</svg>\n"])


def sparkline(points: Points, width: int = 40) -> str:
    """Draw a series in one line of text, from its least to its largest value."""
    values = [value for _, value in points]
    step = max(1, -(-len(values) // width))
    shown = [max(values[start : start + step]) for start in range(0, len(values), step)]
    low, high = min(shown), max(shown)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0
    return "".join(_BARS[round((value - low) * scale)] for value in shown)


def _chart(trend: Trend, points: Points, top: int) -> str:
    colour = "#2a7" if trend.flat else "#c33"
    width = _WIDTH - _LEFT - 10
    last_s = points[-1][0] or 1
    low = min(value for _, value in points)
    high = max(value for _, value in points)
    span = (high - low) or 1
    line = " ".join(
        f"{_LEFT + x / last_s * width:.1f},{top + _HEIGHT - (y - low) / span * _HEIGHT:.1f}" for x, y in points
    )
    caption = f"{trend.name}: grows {trend.growth:.3g} of {trend.allowed:.3g} {trend.unit} allowed"
    return (
        f'<rect x="{_LEFT}" y="{top}" width="{width}" height="{_HEIGHT}" fill="none" stroke="#ccc"/>'
        f'<rect x="{_LEFT}" y="{top}" width="{width * WARM_UP:.0f}" height="{_HEIGHT}" fill="#eee"/>'
        f'<text x="{_LEFT}" y="{top - 5}" fill="{colour}">{escape(caption)}</text>'
        f'<text x="5" y="{top + 10}">{high:.4g}</text><text x="5" y="{top + _HEIGHT}">{low:.4g}</text>'
        f'<polyline points="{line}" fill="none" stroke="{colour}"/>'
    )
