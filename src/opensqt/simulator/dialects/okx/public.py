"""OKX's public REST endpoints: market data."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator.dialects.base import Call, Route, World
from opensqt.simulator.dialects.okx import errors, formats, parameters
from opensqt.simulator.dialects.okx.instruments import Instruments, OkxInstrument, divided, plain
from opensqt.simulator.engine.events import SimCandle

_MOST_CANDLES = 300
_SHORT = {name: name.replace("h", "H") for name in INTERVALS_MS if name.endswith(("m", "h"))}
_LONG = {"6H": "6h", "12H": "12h", "1D": "1d", "2D": "2d", "3D": "3d", "1W": "1w", "1M": "1M", "3M": "3M"}
BARS = {
    "1s": "1s",
    **{text: name for name, text in _SHORT.items()},
    **{f"{text}utc": name for text, name in _LONG.items()},
    **{text: f"{name}+8" for text, name in _LONG.items()},
}
"""The bars by OKX's name; from six hours on those without `utc` begin at Hong Kong's hours."""


class PublicData:
    """Public data of the engine's market. Limits are calls in two seconds."""

    def __init__(self, world: World, instruments: Instruments) -> None:
        self._engine = world.engine
        self._clock = world.engine.clock
        self._instruments = instruments

    def routes(self) -> list[Route]:
        """Return the endpoints."""

        def get(path: str, handler: Any, limit: int = 20, operation: str = "market_data") -> Route:
            return Route("GET", f"/api/v5/{path}", operation, handler, limit, security="none")

        return [
            get("public/time", lambda _call: [{"ts": str(self._clock.server_ms())}], 10, "time"),
            get("public/instruments", self.list_instruments),
            get("public/funding-rate", self._funding_rate, 10),
            get("public/funding-rate-history", self._funding_history, 10),
            get("public/mark-price", self._mark_price, 10),
            get("public/price-limit", self._price_limit),
            get("public/position-tiers", self._position_tiers, 10),
            get("public/underlying", self._underlying),
            get("public/open-interest", self._open_interest),
            get("market/index-tickers", self._index_tickers),
            get("market/ticker", self._ticker),
            get("market/tickers", self._tickers),
            get("market/books", self._books, 40),
            get("market/mark-price-candles", self._mark_candles),
            get("market/history-mark-price-candles", self._mark_candles, 10),
            get("market/index-candles", self._index_candles),
            get("market/history-index-candles", self._index_candles, 10),
            get("market/candles", self._candles, 40),
            get("market/history-candles", self._candles, 20),
            get("market/trades", self._trades, 100),
            get("market/history-trades", self._past_trades, 20),
            get("system/status", lambda _call: [], 1),
        ]

    def list_instruments(self, call: Call) -> Any:
        """Return the instruments of a type; types other than SWAP have none."""
        kind = parameters.required(call.params, "instType")
        if not self._instruments.check_type(kind):
            return []
        wanted = call.params.get("instId", "")
        family = call.params.get("instFamily") or call.params.get("uly", "")
        swaps = [swap for swap in self._instruments.family(family) if wanted in ("", swap.inst_id)]
        return [swap.row() for swap in swaps if swap.is_listed]

    def instrument_rows(self) -> list[dict[str, Any]]:
        """Return every listed instrument, as the channel sends them."""
        return [swap.row() for swap in self._instruments.family("") if swap.is_listed]

    def _funding_rate(self, call: Call) -> Any:
        wanted = parameters.required(call.params, "instId")
        swaps = self._instruments.some("" if wanted == "ANY" else wanted)
        return [
            formats.funding(self._engine.mark(swap.symbol), swap, self._engine.funding_interval_ms) for swap in swaps
        ]

    def _funding_history(self, call: Call) -> Any:
        swap = self._instruments.get(call.params.get("instId", ""))
        past = list(reversed(self._engine.funding_history(swap.symbol)))
        return [
            {
                "instType": "SWAP",
                "instId": swap.inst_id,
                "fundingRate": plain(each.funding_rate),
                "realizedRate": plain(each.funding_rate),
                "fundingTime": str(each.time_ms),
                "method": "current_period",
                "formulaType": "withRate",
            }
            for each in parameters.page(past, [each.time_ms for each in past], call.params, 400)
        ]

    def _mark_price(self, call: Call) -> Any:
        if not self._instruments.check_type(call.params.get("instType", "")):
            return []
        family = call.params.get("instFamily") or call.params.get("uly", "")
        swaps = [swap for swap in self._instruments.some(call.params.get("instId", "")) if family in ("", swap.family)]
        return [formats.mark(self._engine.mark(swap.symbol), swap) for swap in swaps]

    def _price_limit(self, call: Call) -> Any:
        swap = self._instruments.get(call.params.get("instId", ""))
        mark = self._engine.mark(swap.symbol).mark_price
        band = swap.rules.price_band
        return [
            {
                "instType": "SWAP",
                "instId": swap.inst_id,
                "buyLmt": swap.price(mark * (1 + band)),
                "sellLmt": swap.price(mark * (1 - band)),
                "enabled": True,
                "ts": str(self._engine.now_ms()),
            }
        ]

    def _position_tiers(self, call: Call) -> Any:
        if not self._instruments.check_type(parameters.required(call.params, "instType")):
            return []
        if parameters.required(call.params, "tdMode") not in ("cross", "isolated"):
            raise errors.bad("tdMode")
        family = call.params.get("instFamily") or call.params.get("uly", "")
        if call.params.get("tier", "") not in ("", "1"):
            return []
        return [
            {
                "instFamily": swap.family,
                "uly": swap.family,
                "instId": swap.inst_id,
                "tier": "1",
                "minSz": "0",
                "maxSz": swap.contracts(swap.rules.max_quantity),
                "mmr": plain(swap.rules.maintenance_rate),
                "imr": divided(Decimal(1) / swap.rules.max_leverage),
                "maxLever": str(swap.rules.max_leverage),
                "optMgnFactor": "0",
                "quoteMaxLoan": "",
                "baseMaxLoan": "",
            }
            for swap in self._instruments.family(family)
            if call.params.get("instId", "") in ("", swap.inst_id)
        ]

    def _underlying(self, call: Call) -> Any:
        known = self._instruments.check_type(parameters.required(call.params, "instType"))
        return [[each.family for each in self._instruments.family("")] if known else []]

    def _open_interest(self, call: Call) -> Any:
        if not self._instruments.check_type(parameters.required(call.params, "instType")):
            return []
        family = call.params.get("instFamily") or call.params.get("uly", "")
        swaps = [swap for swap in self._instruments.some(call.params.get("instId", "")) if family in ("", swap.family)]
        held = [(swap, self._engine.open_interest(swap.symbol)) for swap in swaps]
        return [
            {
                "instType": "SWAP",
                "instId": swap.inst_id,
                "oi": swap.contracts(coins),
                "oiCcy": plain(coins),
                "oiUsd": divided(coins * self._engine.mark(swap.symbol).mark_price),
                "ts": str(self._engine.now_ms()),
            }
            for swap, coins in held
        ]

    def _index_tickers(self, call: Call) -> Any:
        """Return the index, which is the mark price here, with the day of the contract."""
        quote, wanted = call.params.get("quoteCcy", ""), call.params.get("instId", "")
        if not quote and not wanted:
            raise errors.either("quoteCcy", "instId")
        rows = []
        for swap in self._instruments.family(""):
            if wanted in ("", swap.family) and quote in ("", swap.rules.quote_asset):
                day, mark = self._engine.day(swap.symbol), self._engine.mark(swap.symbol)
                prices = {"high24h": day.high, "low24h": day.low, "open24h": day.open}
                more = {name: swap.price(price) for name, price in prices.items()}
                start = {"sodUtc0": more["open24h"], "sodUtc8": more["open24h"]}
                index = {"instId": swap.family, "idxPx": swap.price(mark.index_price)}
                rows.append({**index, **more, **start, "ts": str(mark.time_ms)})
        if not rows:
            raise errors.unknown_instrument()
        return rows

    def _ticker(self, call: Call) -> Any:
        return [self.ticker(self._instruments.get(call.params.get("instId", "")))]

    def _tickers(self, call: Call) -> Any:
        if not self._instruments.check_type(parameters.required(call.params, "instType")):
            return []
        family = call.params.get("instFamily") or call.params.get("uly", "")
        return [self.ticker(swap) for swap in self._instruments.family(family)]

    def ticker(self, swap: OkxInstrument) -> dict[str, Any]:
        """Return one ticker."""
        symbol = swap.symbol
        return formats.ticker(self._engine.day(symbol), self._engine.best(symbol), swap, self._engine.now_ms())

    def _books(self, call: Call) -> Any:
        swap = self._instruments.get(call.params.get("instId", ""))
        depth = parameters.integer(call.params, "sz") or 1
        if depth > 400:
            raise errors.bad("sz")
        book = self._engine.book(swap.symbol, depth)
        return [
            {
                "asks": formats.levels(book.asks, swap),
                "bids": formats.levels(book.bids, swap),
                "ts": str(book.time_ms),
                "seqId": book.last_update_id,
            }
        ]

    def _mark_candles(self, call: Call) -> Any:
        swap = self._instruments.get(call.params.get("instId", ""))
        return self._mark_rows(call, swap)

    def _index_candles(self, call: Call) -> Any:
        """Return bars of the index, which is the mark price here."""
        swap = self._instruments.get(f"{parameters.required(call.params, 'instId')}-SWAP")
        return self._mark_rows(call, swap)

    def _mark_rows(self, call: Call, swap: OkxInstrument) -> Any:
        interval = BARS.get(call.params.get("bar", "1m"))
        if interval is None or interval.endswith("s"):
            raise errors.bad("bar")
        bars = self._bars(call, swap.symbol, interval, self._engine.mark_candles)
        return [[*row[:5], row[-1]] for row in (formats.candle(bar, swap) for bar in bars)]

    def _candles(self, call: Call) -> Any:
        swap = self._instruments.get(call.params.get("instId", ""))
        interval = BARS.get(call.params.get("bar", "1m"))
        if interval is None:
            raise errors.bad("bar")
        bars = self._bars(call, swap.symbol, interval, self._engine.candles)
        return [formats.candle(bar, swap) for bar in bars]

    def _bars(self, call: Call, symbol: str, interval: str, of: Callable[..., list[SimCandle]]) -> list[SimCandle]:
        """Return the newest bars older than `after` and newer than `before`, newest first."""
        after, before = parameters.integer(call.params, "after"), parameters.integer(call.params, "before")
        wanted = parameters.limit(call.params, _MOST_CANDLES)
        end_ms = None if after is None else after - 1
        bars = of(symbol, interval, end_ms=end_ms, limit=wanted)
        return [bar for bar in reversed(bars) if before is None or bar.open_time_ms > before]

    def _trades(self, call: Call) -> Any:
        swap = self._instruments.get(call.params.get("instId", ""))
        found = self._engine.trades(swap.symbol, limit=parameters.limit(call.params, 500))
        return [formats.trade(each, swap) for each in reversed(found)]

    def _past_trades(self, call: Call) -> Any:
        """Return trades before and after an id, or before a time."""
        swap = self._instruments.get(call.params.get("instId", ""))
        kind = call.params.get("type", "") or "1"
        if kind not in ("1", "2"):
            raise errors.bad("type")
        found = list(reversed(self._engine.trades(swap.symbol, limit=100_000)))
        keys = [int(each.trade_id) if kind == "1" else each.time_ms for each in found]
        page = parameters.page(found, keys, call.params)
        return [formats.trade(each, swap) for each in page]
