"""Draw the pictures of docs/strategy.md: each mode on the same generated market, by the market maker's own engine.

python scripts/plot_strategy.py          writes docs/pictures/*.svg; the same code and seed draw the same pictures
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from opensqt.backtest.run import Backtest, Trace
from opensqt.config.market_maker import MarketMakerSettings
from opensqt.simulator.settings import SimulatorSettings
from opensqt.telemetry import logging

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
START_MS = 1_700_000_000_000
MINUTES = 20
WIDTH, HEIGHT, MARGIN = 900, 420, 60
POINTS = 700
"""Of the price line."""
POSITION_HEIGHT = 90
"""Of the lower part, which shows what is held."""
SEED = 11
SPEED = 80
"""The generated market moves in steps of 0.7 s at this speed."""
SHARED = {
    "symbol": "BTCUSDT",
    "price_interval": "90",
    "order_quantity": "200",
    "buy_window_size": 5,
    "sell_window_size": 5,
}
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "long": ("long: buys below the price, sells what they bought one level higher", {}),
    "short": ("short: the mirror of long", {"grid_mode": "short"}),
    "neutral": ("neutral: buys below, sells above", {"grid_mode": "neutral"}),
    "range": (
        "fixed range: no level is opened outside of it",
        {"grid_mode": "neutral", "lowest_price": "44950", "highest_price": "45250"},
    ),
    "geometric": (
        "geometric: levels a share of the price apart",
        {"grid_step": "geometric", "price_interval_percent": "0.3"},
    ),
    "skew": (
        "inventory skew: new buys move away from what is held",
        {"inventory_skew_factor": "0.004"},
    ),
    "stop": ("stop: entries end at stop_above, what is held stays on offer", {"stop_above": "45280"}),
    "glft": (
        "glft: both quotes move away from what is held",
        {
            "strategy": "glft",
            "grid_mode": "neutral",
            "price_interval": "20",
            "buy_window_size": 1,
            "sell_window_size": 1,
            "glft": {"arrivals": "0.9", "decay": "0.03", "volatility": "12", "risk_aversion": "0.0005", "most_lots": 6},
        },
    ),
}


@dataclass(frozen=True)
class Scale:
    """From times and prices to pixels."""

    first_ms: int
    last_ms: int
    low: Decimal
    high: Decimal

    def x(self, time_ms: int) -> float:
        """Return the pixels from the left."""
        return MARGIN + (time_ms - self.first_ms) / (self.last_ms - self.first_ms) * (WIDTH - 2 * MARGIN)

    def y(self, price: Decimal) -> float:
        """Return the pixels from the top."""
        share = float((price - self.low) / (self.high - self.low))
        return HEIGHT - MARGIN / 2 - share * (HEIGHT - MARGIN)


def main() -> int:
    """Draw all pictures, or those that are named."""
    logging.configure("ERROR", service="plots", style="console")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (title, changes) in PICTURES.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        trace = Trace()
        settings = MarketMakerSettings.model_validate({"trading": {**SHARED, **changes}})
        market = SimulatorSettings.model_validate(
            {"start_ms": START_MS, "past_minutes": 60, "seed": SEED, "speed": SPEED, "maker_fee": "0.0001"}
        )
        result = Backtest(settings, market, trace=trace).run(START_MS + MINUTES * 60_000)
        path = FOLDER / f"{name}.svg"
        path.write_text(draw(title, trace), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {result.fills} fills, {result.round_trips} round trips")
    return 0


def draw(title: str, trace: Trace) -> str:
    """Return the picture of one run: price, resting orders, fills, and below them what was held."""
    every = max(1, len(trace.prices) // POINTS)
    drawn = trace.prices[::every]
    prices = [price for _, price in drawn]
    shown = [*prices, *(price for *_, price in trace.fills)]
    pad = (max(shown) - min(shown)) / 12
    scale = Scale(trace.prices[0][0], trace.prices[-1][0], min(shown) - pad, max(shown) + pad)
    line = " ".join(f"{scale.x(time):.1f},{scale.y(price):.1f}" for time, price in drawn)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + POSITION_HEIGHT}" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="{MARGIN}" y="20" font-weight="bold">{title}</text>',
        *_orders(trace, scale),
        f'<polyline points="{line}" fill="none" stroke="#444" stroke-width="1"/>',
        *(_fill(scale.x(time), scale.y(price), side) for time, side, price in trace.fills),
        *_axis(scale),
        *_position(trace, scale),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _orders(trace: Trace, scale: Scale) -> list[str]:
    """Return a line for the life of each order at its price."""
    lines = []
    for side, price, opened, closed in trace.orders:
        if not scale.low < price < scale.high:
            continue
        colour = "#9ecae1" if side == "BUY" else "#fdae6b"
        y = scale.y(price)
        end = scale.x(scale.last_ms if closed is None else closed)
        lines.append(f'<line x1="{scale.x(opened):.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}" stroke="{colour}"/>')
    return lines


def _fill(x: float, y: float, side: str) -> str:
    """Return a triangle: up for a buy, down for a sell."""
    sign, colour = (1, "#08519c") if side == "BUY" else (-1, "#a63603")
    points = f"{x:.1f},{y - 6 * sign:.1f} {x - 5:.1f},{y + 4 * sign:.1f} {x + 5:.1f},{y + 4 * sign:.1f}"
    return f'<polygon points="{points}" fill="{colour}"/>'


def _axis(scale: Scale) -> list[str]:
    step = (scale.high - scale.low) / 5
    return [
        f'<text x="{WIDTH - MARGIN + 4}" y="{scale.y(price):.1f}" fill="#666">{price:.0f}</text>'
        for price in (scale.low + step * number for number in range(1, 5))
    ]


def _position(trace: Trace, scale: Scale) -> list[str]:
    """Return the position over time, below the prices."""
    largest = max((abs(held) for _, held in trace.positions), default=Decimal(0)) or Decimal(1)
    middle = HEIGHT + POSITION_HEIGHT / 2
    points = [f"{scale.x(scale.first_ms):.1f},{middle:.1f}"]
    y = middle
    for time, held in trace.positions:
        points.append(f"{scale.x(time):.1f},{y:.1f}")
        y = middle - float(held / largest) * (POSITION_HEIGHT / 2 - 12)
        points.append(f"{scale.x(time):.1f},{y:.1f}")
    points.append(f"{scale.x(scale.last_ms):.1f},{y:.1f}")
    return [
        f'<line x1="{MARGIN}" y1="{middle}" x2="{WIDTH - MARGIN}" y2="{middle}" stroke="#ccc"/>',
        f'<polyline points="{" ".join(points)}" fill="none" stroke="#31a354" stroke-width="1.5"/>',
        f'<text x="{WIDTH - MARGIN + 4}" y="{middle + 4}" fill="#31a354">held</text>',
        f'<text x="4" y="{middle + 4}" fill="#666">{largest} BTC</text>',
    ]


if __name__ == "__main__":
    sys.exit(main())
