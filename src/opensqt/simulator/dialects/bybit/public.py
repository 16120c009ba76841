"""Bybit's public REST endpoints: market data."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, Params, Route, World
from opensqt.simulator.dialects.bybit import formats, parameters
from opensqt.simulator.engine.events import SimCandle
from opensqt.simulator.settings import SymbolSettings

_PERIODS = ("5min", "15min", "30min", "1h", "4h", "1d")


class PublicData:
    """Public data of the engine's market; categories other than linear exist and are empty."""

    def __init__(self, world: World) -> None:
        self._engine = world.engine
        self._clock = world.engine.clock
        self._settings = world.settings

    def routes(self) -> list[Route]:
        """Return the endpoints."""

        def get(path: str, handler: Any, operation: str = "market_data") -> Route:
            return Route("GET", f"/v5/market/{path}", operation, handler, security="none")

        return [
            get("time", self._time, "time"),
            get("instruments-info", self._instruments),
            get("tickers", self._tickers),
            get("orderbook", self._book),
            get("kline", self._candles),
            get("mark-price-kline", self._mark_candles),
            get("index-price-kline", self._mark_candles),
            get("premium-index-price-kline", self._premium_candles),
            get("recent-trade", self._trades),
            get("funding/history", self._funding_history),
            get("risk-limit", self._risk_limits),
            get("open-interest", self._open_interest),
        ]

    def _time(self, _call: Call) -> Any:
        now = self._clock.server_ms()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}

    def _instruments(self, call: Call) -> Any:
        wanted = call.params.get("status", "Trading")
        rows = [
            formats.instrument(rules, self._settings.funding_interval_h, wanted)
            for rules in self._one_or_all(call.params)
            if (self._engine.listing_state(rules.symbol) or "Trading") == wanted
            and call.params.get("baseCoin", "") in ("", rules.base_asset)
        ]
        start = parameters.integer(call.params, "cursor") or 0
        end = start + parameters.limit(call.params, default=500, most=1000)
        cursor = str(end) if end < len(rows) else ""
        return {"category": call.params["category"], "list": rows[start:end], "nextPageCursor": cursor}

    def _tickers(self, call: Call) -> Any:
        rows = [self.ticker(rules) for rules in self._one_or_all(call.params)]
        return {"category": call.params["category"], "list": rows}

    def ticker(self, rules: SymbolSettings) -> dict[str, Any]:
        """Write a symbol's current ticker."""
        best = self._engine.best(rules.symbol)
        sides = (best.bid, best.bid_quantity, best.ask, best.ask_quantity)
        row = formats.ticker(self._engine.day(rules.symbol), self._engine.mark(rules.symbol), sides, rules)
        return row | {"fundingIntervalHour": str(self._engine.funding_interval_ms // 3_600_000)}

    def _book(self, call: Call) -> Any:
        rules = self._rules(call.params)
        book = self._engine.book(rules.symbol, parameters.limit(call.params, default=25, most=500))
        return {
            "s": rules.symbol,
            "b": formats.levels(book.bids, rules),
            "a": formats.levels(book.asks, rules),
            "ts": book.time_ms,
            "u": book.last_update_id,
            "seq": book.last_update_id,
            "cts": book.time_ms,
        }

    def _mark_candles(self, call: Call) -> Any:
        """Return bars of the mark price, which is the index price too."""
        answer = self._bars(call, self._engine.mark_candles)
        return answer | {"list": [row[:5] for row in answer["list"]]}

    def _premium_candles(self, call: Call) -> Any:
        """Return the premium of the mark over the index, which are one price here."""
        answer = self._bars(call, self._engine.mark_candles)
        return answer | {"list": [[row[0], *["0"] * 4] for row in answer["list"]]}

    def _candles(self, call: Call) -> Any:
        return self._bars(call, self._engine.candles)

    def _bars(self, call: Call, of: Callable[..., list[SimCandle]]) -> dict[str, Any]:
        rules = self._rules(call.params)
        interval = parameters.choice(call.params, "interval", formats.INTERVALS)
        limit = parameters.limit(call.params, default=200, most=1000)
        start, end = parameters.integer(call.params, "start"), parameters.integer(call.params, "end")
        # Of a window with both ends the newest rows are returned, of one with only a start the oldest.
        most = None if start is None or end is None else 1_000_000
        bars = of(rules.symbol, interval, start_ms=start, end_ms=end, limit=most or limit)
        rows = [formats.candle(bar, rules) for bar in bars[-limit:]]
        return {"symbol": rules.symbol, "category": "linear", "list": rows[::-1]}

    def _trades(self, call: Call) -> Any:
        rules = self._rules(call.params)
        found = self._engine.trades(rules.symbol, limit=parameters.limit(call.params, default=500, most=1000))
        return {"category": "linear", "list": [formats.trade(each, rules) for each in reversed(found)]}

    def _funding_history(self, call: Call) -> Any:
        rules = self._rules(call.params)
        limit = parameters.limit(call.params, default=200, most=200)
        start, end = parameters.integer(call.params, "startTime"), parameters.integer(call.params, "endTime")
        rows = [
            {
                "symbol": rules.symbol,
                "fundingRate": decimals.exact(past.funding_rate),
                "fundingRateTimestamp": str(past.time_ms),
            }
            for past in self._engine.funding_history(rules.symbol)
            if (start is None or past.time_ms >= start) and (end is None or past.time_ms <= end)
        ]
        return {"category": "linear", "list": rows[::-1][:limit]}

    def _open_interest(self, call: Call) -> Any:
        """Return the open interest now; that of before is not kept."""
        rules = self._rules(call.params)
        parameters.choice(call.params, "intervalTime", {name: name for name in _PERIODS})
        start, end = (parameters.integer(call.params, name) for name in ("startTime", "endTime"))
        now = self._engine.now_ms()
        row = {"openInterest": decimals.exact(self._engine.open_interest(rules.symbol)), "timestamp": str(now)}
        known = (start is None or start <= now) and (end is None or end >= now) and not call.params.get("cursor")
        limit = parameters.limit(call.params, default=50, most=200)
        return {
            "symbol": rules.symbol,
            "category": "linear",
            "list": [row][:limit] if known else [],
            "nextPageCursor": "",
        }

    def _risk_limits(self, call: Call) -> Any:
        rows = [
            {
                "id": 1,
                "symbol": rules.symbol,
                "riskLimitValue": "100000000",
                "maintenanceMargin": decimals.exact(rules.maintenance_rate),
                "initialMargin": format(1 / Decimal(rules.max_leverage), ".4f"),
                "isLowestRisk": 1,
                "maxLeverage": f"{rules.max_leverage}.00",
                "mmDeduction": "",
            }
            for rules in self._one_or_all(call.params)
        ]
        return {"category": call.params["category"], "list": rows, "nextPageCursor": ""}

    def _one_or_all(self, params: Params) -> list[SymbolSettings]:
        if not parameters.is_linear(params):
            return []
        if params.get("symbol"):
            return [self._engine.symbol(params["symbol"])]
        return list(self._engine.symbols())

    def _rules(self, params: Params) -> SymbolSettings:
        parameters.need_linear(params)
        return self._engine.symbol(parameters.text(params, "symbol"))
