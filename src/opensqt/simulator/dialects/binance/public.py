"""Binance's public REST endpoints: market data."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, ErrorReply, Params, Route, World
from opensqt.simulator.dialects.binance import errors, formats, parameters
from opensqt.simulator.engine.events import SimCandle, SimTrade
from opensqt.simulator.settings import SymbolSettings

INTERVALS = (*INTERVALS_MS, "8h", "3d", "1w", "1M")
"""The candle intervals."""
_DEPTHS = (5, 10, 20, 50, 100, 500, 1000)


class PublicData:
    """Public data of the engine's market."""

    def __init__(self, world: World) -> None:
        self._engine = world.engine
        self._clock = world.engine.clock
        self._settings = world.settings

    def routes(self) -> list[Route]:
        """Return the endpoints."""

        def get(path: str, handler: Any, weight: int = 1, operation: str = "market_data", **more: Any) -> Route:
            return Route("GET", f"/fapi/{path}", operation, handler, weight, security="none", **more)

        return [
            get("v1/ping", lambda _call: {}),
            get("v1/time", lambda _call: {"serverTime": self._clock.server_ms()}, operation="time"),
            get("v1/exchangeInfo", self._exchange_info),
            get("v1/depth", self._depth, cost=_depth_weight),
            get("v1/trades", self._trades, 5),
            Route("GET", "/fapi/v1/historicalTrades", "market_data", self._trades, 20, security="key"),
            get("v1/aggTrades", self._aggregate_trades, 20),
            get("v1/klines", self._klines, cost=_klines_weight),
            get("v1/continuousKlines", self._continuous_klines, cost=_klines_weight),
            get("v1/markPriceKlines", self._mark_klines, cost=_klines_weight),
            get("v1/indexPriceKlines", self._index_klines, cost=_klines_weight),
            get("v1/premiumIndexKlines", self._premium_klines, cost=_klines_weight),
            get("v1/premiumIndex", self._premium_index, cost=_per_symbol(1, 10)),
            get("v1/openInterest", self._open_interest),
            get("v1/fundingRate", self._funding_rate),
            get("v1/fundingInfo", self._funding_info),
            get("v1/ticker/24hr", self._day, cost=_per_symbol(1, 40)),
            get("v1/ticker/price", self._last_price, cost=_per_symbol(1, 2)),
            get("v2/ticker/price", self._last_price, cost=_per_symbol(1, 2)),
            get("v1/ticker/bookTicker", self._book_ticker, cost=_per_symbol(2, 5)),
        ]

    def _exchange_info(self, _call: Call) -> Any:
        server, most_conditional = self._settings.server, self._settings.rules.most_conditional

        def limit(kind: str, interval: str, number: int, most: int) -> dict[str, Any]:
            return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": most}

        return {
            "timezone": "UTC",
            "serverTime": self._clock.server_ms(),
            "futuresType": "U_MARGINED",
            "rateLimits": [
                limit("REQUEST_WEIGHT", *server.weight_interval, server.weight_limit),
                limit("ORDERS", "MINUTE", 1, server.orders_per_minute),
                limit("ORDERS", "SECOND", 10, server.orders_per_10s),
            ],
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": [
                formats.symbol(rules, self._engine.listing_state(rules.symbol) or "TRADING", most_conditional)
                for rules in self._engine.listed()
            ],
        }

    def _depth(self, call: Call) -> Any:
        rules = self._rules(call.params)
        limit = parameters.limit(call.params, default=500, most=1000)
        if limit not in _DEPTHS:
            raise ErrorReply(400, "-4021", f"{limit} is not valid depth limit.")
        book = self._engine.book(rules.symbol, limit)
        return {
            "lastUpdateId": book.last_update_id,
            "E": book.time_ms,
            "T": book.time_ms,
            "bids": formats.levels(book.bids, rules),
            "asks": formats.levels(book.asks, rules),
        }

    def _trades(self, call: Call) -> Any:
        rules = self._rules(call.params)
        limit = parameters.limit(call.params, default=500, most=1000)
        from_id = parameters.integer(call.params, "fromId")
        if from_id is None:
            return [formats.trade(each, rules) for each in self._engine.trades(rules.symbol, limit=limit)]
        kept = self._engine.trades(rules.symbol, limit=100_000)
        return [formats.trade(each, rules) for each in kept if int(each.trade_id) >= from_id][:limit]

    def _aggregate_trades(self, call: Call) -> Any:
        rules = self._rules(call.params)
        limit = parameters.limit(call.params, default=500, most=1000)
        from_id, start = parameters.integer(call.params, "fromId"), parameters.integer(call.params, "startTime")
        end = parameters.integer(call.params, "endTime")
        rows = [
            formats.aggregate(list(group), rules)
            for _, group in groupby(self._engine.trades(rules.symbol, limit=100_000), key=_aggregate_id)
        ]
        rows = [
            row
            for row in rows
            if (from_id is None or row["a"] >= from_id)
            and (start is None or row["T"] >= start)
            and (end is None or row["T"] <= end)
        ]
        return rows[-limit:] if from_id is None and start is None else rows[:limit]

    def _klines(self, call: Call) -> Any:
        return self._bars(call.params, self._rules(call.params))

    def _continuous_klines(self, call: Call) -> Any:
        rules = self._engine.symbol(parameters.text(call.params, "pair").upper())
        if parameters.text(call.params, "contractType") != "PERPETUAL":
            raise errors.bad_value("contractType")
        return self._bars(call.params, rules)

    def _mark_klines(self, call: Call) -> Any:
        rows = self._bars(call.params, self._rules(call.params), self._engine.mark_candles)
        return [[*row[:5], "0", row[6], "0", 0, "0", "0", "0"] for row in rows]

    def _index_klines(self, call: Call) -> Any:
        rules = self._engine.symbol(parameters.text(call.params, "pair").upper())
        rows = self._bars(call.params, rules, self._engine.mark_candles)
        return [[*row[:5], "0", row[6], "0", 0, "0", "0", "0"] for row in rows]

    def _premium_klines(self, call: Call) -> Any:
        """Return the premium of the mark over the index, which are one price here."""
        return [[row[0], *["0"] * 5, row[6], "0", 0, "0", "0", "0"] for row in self._mark_klines(call)]

    def _bars(self, params: Params, rules: SymbolSettings, of: Callable[..., list[SimCandle]] | None = None) -> Any:
        interval = parameters.text(params, "interval")
        if interval not in INTERVALS:
            raise ErrorReply(400, "-1120", "Invalid interval.")
        bars = (of or self._engine.candles)(
            rules.symbol,
            interval,
            start_ms=parameters.integer(params, "startTime"),
            end_ms=parameters.integer(params, "endTime"),
            limit=parameters.limit(params, default=500, most=1500),
        )
        return [formats.candle(bar, rules) for bar in bars]

    def _premium_index(self, call: Call) -> Any:
        def row(rules: SymbolSettings) -> dict[str, Any]:
            mark = self._engine.mark(rules.symbol)
            return {
                "symbol": rules.symbol,
                "markPrice": decimals.rounded(mark.mark_price),
                "indexPrice": decimals.rounded(mark.index_price),
                "estimatedSettlePrice": decimals.rounded(mark.index_price),
                "lastFundingRate": decimals.rounded(mark.funding_rate),
                "interestRate": "0.00010000",
                "nextFundingTime": mark.next_funding_ms,
                "time": mark.time_ms,
            }

        return self._one_or_all(call, row)

    def _open_interest(self, call: Call) -> Any:
        rules = self._rules(call.params)
        held = decimals.quantity(self._engine.open_interest(rules.symbol), rules)
        return {"openInterest": held, "symbol": rules.symbol, "time": self._engine.now_ms()}

    def _funding_rate(self, call: Call) -> Any:
        limit = parameters.limit(call.params, default=100, most=1000)
        start, end = parameters.integer(call.params, "startTime"), parameters.integer(call.params, "endTime")
        wanted = [self._rules(call.params)] if call.params.get("symbol") else list(self._engine.symbols())
        rows = [
            {
                "symbol": rules.symbol,
                "fundingTime": past.time_ms,
                "fundingRate": decimals.rounded(past.funding_rate),
                "markPrice": decimals.rounded(past.mark_price),
            }
            for rules in wanted
            for past in self._engine.funding_history(rules.symbol)
            if (start is None or past.time_ms >= start) and (end is None or past.time_ms <= end)
        ]
        return rows[:limit] if start is not None else rows[-limit:]

    def _funding_info(self, _call: Call) -> Any:
        return [
            {
                "symbol": rules.symbol,
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": self._settings.funding_interval_h,
                "disclaimer": False,
            }
            for rules in self._engine.symbols()
        ]

    def _day(self, call: Call) -> Any:
        return self._one_or_all(call, lambda rules: formats.day(self._engine.day(rules.symbol), rules))

    def _last_price(self, call: Call) -> Any:
        def row(rules: SymbolSettings) -> dict[str, Any]:
            last = decimals.price(self._engine.last_price(rules.symbol), rules)
            return {"symbol": rules.symbol, "price": last, "time": self._engine.now_ms()}

        return self._one_or_all(call, row)

    def _book_ticker(self, call: Call) -> Any:
        def row(rules: SymbolSettings) -> dict[str, Any]:
            best = self._engine.best(rules.symbol)
            return {
                "symbol": rules.symbol,
                "bidPrice": decimals.price(best.bid, rules),
                "bidQty": decimals.quantity(best.bid_quantity, rules),
                "askPrice": decimals.price(best.ask, rules),
                "askQty": decimals.quantity(best.ask_quantity, rules),
                "time": best.time_ms,
                "lastUpdateId": best.update_id,
            }

        return self._one_or_all(call, row)

    def _one_or_all(self, call: Call, row: Any) -> Any:
        if call.params.get("symbol"):
            return row(self._rules(call.params))
        return [row(rules) for rules in self._engine.symbols()]

    def _rules(self, params: Params) -> SymbolSettings:
        return self._engine.symbol(parameters.text(params, "symbol").upper())


def _aggregate_id(trade: SimTrade) -> int:
    return trade.aggregate_id


def _per_symbol(one: int, every: int) -> Any:
    return lambda params: one if params.get("symbol") else every


def _asked(params: Params, default: int) -> int:
    limit = params.get("limit", "")
    return int(limit) if limit.isdecimal() and len(limit) < 6 else default


def _depth_weight(params: Params) -> int:
    limit: int = _asked(params, 500)
    return 2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20


def _klines_weight(params: Params) -> int:
    limit: int = _asked(params, 500)
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10
