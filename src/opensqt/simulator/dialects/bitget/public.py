"""Bitget's public REST endpoints: market data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, Params, Route, World
from opensqt.simulator.dialects.bitget import errors, formats, parameters
from opensqt.simulator.settings import SymbolSettings

_LONG = {"6H": "6h", "12H": "12h", "1D": "1d", "3D": "3d", "1W": "1w", "1M": "1M"}
INTERVALS = {
    "1m": "1m",
    "3m": "3m",
    "5m": "5m",
    "15m": "15m",
    "30m": "30m",
    "1H": "1h",
    "2H": "2h",
    "4H": "4h",
    **{f"{text}utc": name for text, name in _LONG.items()},
    **{text: f"{name}+8" for text, name in _LONG.items()},
}
"""The venue's names of the intervals; from six hours on those without `utc` begin at Hong Kong's hours."""
_EMPTY_LISTS = ("spot/public/symbols", "spot/public/coins", "margin/currencies")
"""Endpoints that clients of the whole venue call before they trade futures; only futures exist here."""
_DEPTHS = {"1": 1, "5": 5, "15": 15, "50": 50, "max": 1000}
_RECENT, _PAST = 1000, 200


class PublicData:
    """Public data of the engine's market."""

    def __init__(self, world: World) -> None:
        self._engine = world.engine
        self._clock = world.engine.clock
        self._settings = world.settings

    def routes(self) -> list[Route]:
        """Return the endpoints; the weight is the number of calls that one address may make in a second."""

        def get(path: str, handler: Any, operation: str = "market_data", weight: int = 20) -> Route:
            return Route("GET", f"/api/v2/{path}", operation, handler, weight, security="none")

        return [
            get("public/time", lambda _call: {"serverTime": str(self._clock.server_ms())}, "time"),
            get("mix/market/contracts", self._contracts),
            get("mix/market/ticker", self._one_ticker),
            get("mix/market/tickers", self._tickers),
            get("mix/market/symbol-price", self._symbol_price),
            get("mix/market/merge-depth", self._depth),
            get("mix/market/candles", self._candles(_RECENT)),
            get("mix/market/history-candles", self._candles(_PAST)),
            get("mix/market/history-mark-candles", self._candles(_PAST, of_mark=True)),
            get("mix/market/history-index-candles", self._candles(_PAST, of_mark=True)),
            get("mix/market/fills", self._trades),
            get("mix/market/fills-history", self._past_trades, weight=10),
            get("mix/market/current-fund-rate", self._funding_rate),
            get("mix/market/funding-time", self._funding_time),
            get("mix/market/open-interest", self._open_interest),
            get("mix/market/history-fund-rate", self._past_funding),
            get("mix/market/query-position-lever", self._tiers, weight=10),
            *(get(path, lambda _call: []) for path in _EMPTY_LISTS),
        ]

    def _contracts(self, call: Call) -> Any:
        return [
            formats.contract(rules, self._settings, self._engine.listing_state(rules.symbol) or "normal")
            for rules in self._wanted(call.params)
            if rules in self._engine.listed()
        ]

    def _one_ticker(self, call: Call) -> Any:
        return [self.ticker(self._rules(call.params))]

    def _tickers(self, call: Call) -> Any:
        known = parameters.product_type(call.params) == parameters.PRODUCT_TYPE
        return [self.ticker(rules) for rules in self._engine.symbols() if known]

    def ticker(self, rules: SymbolSettings) -> dict[str, Any]:
        """Write a ticker; the stream sends the same fields except the name of the symbol."""
        best, mark = self._engine.best(rules.symbol), self._engine.mark(rules.symbol)
        return {
            "symbol": rules.symbol,
            **formats.day(self._engine.day(rules.symbol), rules),
            "bidPr": decimals.price(best.bid, rules),
            "bidSz": decimals.quantity(best.bid_quantity, rules),
            "askPr": decimals.price(best.ask, rules),
            "askSz": decimals.quantity(best.ask_quantity, rules),
            "ts": str(best.time_ms),
            "indexPrice": decimals.rounded(mark.index_price),
            "markPrice": decimals.rounded(mark.mark_price),
            "fundingRate": decimals.rounded(mark.funding_rate),
            "nextFundingTime": str(mark.next_funding_ms),
            "holdingAmount": decimals.exact(self._engine.open_interest(rules.symbol)),
            "deliveryStartTime": None,
            "deliveryTime": None,
            "deliveryStatus": "",
        }

    def _symbol_price(self, call: Call) -> Any:
        rules = self._rules(call.params)
        mark = self._engine.mark(rules.symbol)
        return [
            {
                "symbol": rules.symbol,
                "price": decimals.price(self._engine.last_price(rules.symbol), rules),
                "indexPrice": decimals.rounded(mark.index_price),
                "markPrice": decimals.rounded(mark.mark_price),
                "ts": str(mark.time_ms),
            }
        ]

    def _depth(self, call: Call) -> Any:
        rules = self._rules(call.params)
        asked = call.params.get("limit", "")
        book = self._engine.book(rules.symbol, _DEPTHS.get(asked, 100))
        return {
            "asks": formats.levels(book.asks, rules),
            "bids": formats.levels(book.bids, rules),
            "ts": str(book.time_ms),
            "scale": decimals.exact(rules.price_step),
            "precision": "scale0",
            "isMaxPrecision": "YES",
        }

    def _candles(self, most: int, *, of_mark: bool = False) -> Callable[[Call], Any]:
        """Return the handler of candles: of trades, or of the mark price, which is the index price too."""

        def answer(call: Call) -> Any:
            rules = self._rules(call.params)
            interval = INTERVALS.get(parameters.text(call.params, "granularity"))
            if interval is None:
                raise errors.bad_value("granularity")
            limit = parameters.limit(call.params, most=most)
            start, end = (parameters.integer(call.params, name) for name in ("startTime", "endTime"))
            kind = "" if most == _PAST else call.params.get("kLineType", "").upper()
            if kind not in ("", "MARKET", "MARK", "INDEX"):
                raise errors.bad_value("kLineType")
            of = self._engine.mark_candles if of_mark or kind in ("MARK", "INDEX") else self._engine.candles
            bars = of(rules.symbol, interval, start_ms=start, end_ms=end, limit=10_000)
            # If the window contains more rows than requested, the newest are returned.
            return [formats.candle(bar, rules) for bar in bars[-limit:]]

        return answer

    def _trades(self, call: Call) -> Any:
        rules = self._rules(call.params)
        found = self._engine.trades(rules.symbol, limit=parameters.limit(call.params, most=1000))
        return [{"symbol": rules.symbol, **formats.trade(trade, rules)} for trade in reversed(found)]

    def _past_trades(self, call: Call) -> Any:
        rules = self._rules(call.params)
        limit = parameters.limit(call.params, most=1000)
        before = parameters.integer(call.params, "idLessThan")
        start, end = (parameters.integer(call.params, name) for name in ("startTime", "endTime"))
        found = [
            trade
            for trade in self._engine.trades(rules.symbol, limit=100_000)
            if (before is None or int(trade.trade_id) < before)
            and (start is None or trade.time_ms >= start)
            and (end is None or trade.time_ms <= end)
        ]
        newest_first = reversed(found[-limit:])
        return [{"symbol": rules.symbol, **formats.trade(trade, rules)} for trade in newest_first]

    def _funding_rate(self, call: Call) -> Any:
        return [
            {
                "symbol": rules.symbol,
                "fundingRate": decimals.rounded(self._engine.mark(rules.symbol).funding_rate),
                "fundingRateInterval": str(self._settings.funding_interval_h),
                "nextUpdate": str(self._engine.mark(rules.symbol).next_funding_ms),
                "minFundingRate": "-0.003",
                "maxFundingRate": "0.003",
            }
            for rules in self._wanted(call.params)
        ]

    def _open_interest(self, call: Call) -> Any:
        rules = self._rules(call.params)
        held = {"symbol": rules.symbol, "size": decimals.exact(self._engine.open_interest(rules.symbol))}
        return {"openInterestList": [held], "ts": str(self._engine.now_ms())}

    def _funding_time(self, call: Call) -> Any:
        rules = self._rules(call.params)
        next_ms = self._engine.mark(rules.symbol).next_funding_ms
        period = str(self._settings.funding_interval_h)
        return [{"symbol": rules.symbol, "nextFundingTime": str(next_ms), "ratePeriod": period}]

    def _past_funding(self, call: Call) -> Any:
        rules = self._rules(call.params)
        size = parameters.limit(call.params, default=20, most=100, name="pageSize")
        page = parameters.limit(call.params, default=1, most=10_000, name="pageNo")
        newest_first = list(reversed(self._engine.funding_history(rules.symbol)))
        return [
            {
                "symbol": rules.symbol,
                "fundingRate": decimals.rounded(past.funding_rate),
                "fundingTime": str(past.time_ms),
            }
            for past in newest_first[(page - 1) * size : page * size]
        ]

    def _tiers(self, call: Call) -> Any:
        rules = self._rules(call.params)
        return [
            {
                "symbol": rules.symbol,
                "level": "1",
                "startUnit": "0",
                "endUnit": "100000000",
                "leverage": str(rules.max_leverage),
                "keepMarginRate": decimals.exact(rules.maintenance_rate),
            }
        ]

    def _wanted(self, params: Params) -> list[SymbolSettings]:
        """Return the named symbol, or all; other product types have no symbols."""
        if parameters.product_type(params) != parameters.PRODUCT_TYPE:
            return []
        return [self._named(params["symbol"])] if params.get("symbol") else list(self._engine.symbols())

    def _rules(self, params: Params) -> SymbolSettings:
        parameters.futures(params)
        return self._named(parameters.text(params, "symbol"))

    def _named(self, symbol: str) -> SymbolSettings:
        return self._engine.symbol(symbol.upper())
