"""Gate's public REST endpoints: market data."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, Route, World
from opensqt.simulator.dialects.gate import errors, formats, parameters
from opensqt.simulator.dialects.gate.contracts import Contracts
from opensqt.simulator.engine.intervals import length_ms
from opensqt.simulator.settings import SymbolSettings

_ROOT = "/api/v4/futures/usdt"
_MOST_CANDLES = 2_000
_PRICES = ("mark_", "index_")
"""Before a contract's name: candles of its mark price, which is the index price too."""
INTERVALS = {name: name for name in INTERVALS_MS if name != "3m"} | {
    "10s": "10s",
    "30s": "30s",
    "8h": "8h",
    "7d": "7d",
    "1w": "1w",
    "30d": "1M",
}
"""The candle intervals by Gate's name; 30d is a month of the calendar."""


class PublicData:
    """Public data of the engine's market."""

    def __init__(self, world: World, contracts: Contracts) -> None:
        self._engine = world.engine
        self._settings = world.settings
        self._clock = world.engine.clock
        self._contracts = contracts

    def routes(self) -> list[Route]:
        """Return the endpoints."""

        def get(path: str, handler: Any, operation: str = "market_data") -> Route:
            return Route("GET", path, operation, handler, security="none")

        return [
            get("/api/v4/spot/time", lambda _call: {"server_time": self._clock.server_ms()}, "time"),
            get(f"{_ROOT}/contracts", self._all_contracts),
            # Clients of the whole venue call these too; they are empty here.
            get("/api/v4/futures/btc/contracts", lambda _call: []),
            get(f"{_ROOT}/contracts/{{contract}}", self._one_contract),
            get(f"{_ROOT}/order_book", self._order_book),
            get(f"{_ROOT}/trades", self._trades),
            get(f"{_ROOT}/candlesticks", self._candles),
            get(f"{_ROOT}/tickers", self._tickers),
            get(f"{_ROOT}/funding_rate", self._funding_rate),
            get(f"{_ROOT}/risk_limit_tiers", self._risk_limit_tiers),
        ]

    def ticker(self, rules: SymbolSettings) -> dict[str, Any]:
        """Write the statistics of one contract."""
        best = self._engine.best(rules.symbol)
        prices = (decimals.price(best.bid, rules), decimals.price(best.ask, rules))
        return formats.ticker(rules, self._engine.day(rules.symbol), self._engine.mark(rules.symbol), prices)

    def _all_contracts(self, call: Call) -> Any:
        return parameters.page([self._instrument(rules, call) for rules in self._engine.listed()], call.params)

    def _one_contract(self, call: Call) -> Any:
        return self._instrument(self._contracts.requested(call.params), call)

    def _instrument(self, rules: SymbolSettings, call: Call) -> Any:
        mark, last = self._engine.mark(rules.symbol), self._engine.last_price(rules.symbol)
        row = formats.instrument(rules, mark, last, self._settings, self._contracts.sizes(call.headers))
        return row | formats.listing(self._engine.listing_state(rules.symbol))

    def _order_book(self, call: Call) -> Any:
        rules = self._contracts.requested(call.params)
        if call.params.get("interval", "0") != "0":
            raise errors.bad_value("interval")
        book = self._engine.book(rules.symbol, parameters.limit(call.params, default=10, most=300))
        sizes = self._contracts.sizes(call.headers)
        answer: dict[str, Any] = {
            "current": formats.seconds(book.time_ms),
            "update": formats.seconds(book.time_ms),
            "asks": formats.levels(book.asks, rules, sizes),
            "bids": formats.levels(book.bids, rules, sizes),
        }
        if parameters.boolean(call.params, "with_id"):
            answer["id"] = book.last_update_id
        return answer

    def _trades(self, call: Call) -> Any:
        rules = self._contracts.requested(call.params)
        start, end = parameters.seconds(call.params, "from"), parameters.seconds(call.params, "to")
        last_id = parameters.integer(call.params, "last_id", 0)
        found = [
            each
            for each in reversed(self._engine.trades(rules.symbol, limit=100_000))
            if (start is None or each.time_ms >= start) and (end is None or each.time_ms < end + 1000)
            if not last_id or int(each.trade_id) < last_id
        ]
        sizes = self._contracts.sizes(call.headers)
        return [
            formats.public_trade(each, rules, sizes)
            | {"create_time": formats.seconds(each.time_ms), "create_time_ms": formats.seconds(each.time_ms)}
            for each in parameters.page(found, call.params)
        ]

    def _candles(self, call: Call) -> Any:
        params = call.params
        named = parameters.text(params, "contract")
        of_mark = named.startswith(_PRICES)
        rules = self._contracts.requested({"contract": named.split("_", 1)[1] if of_mark else named})
        interval = params.get("interval", "5m")
        if interval not in INTERVALS:
            raise errors.bad_value("interval")
        start, end = parameters.seconds(params, "from"), parameters.seconds(params, "to")
        if (start is not None or end is not None) and params.get("limit"):
            raise errors.bad_value("limit: conflicts with from and to")
        limit = parameters.limit(params, default=100, most=_MOST_CANDLES)
        if start is not None:
            until = end if end is not None else self._engine.now_ms()
            if (until - start) // length_ms(INTERVALS[interval]) >= _MOST_CANDLES:
                raise errors.bad_value(f"candlestick range too broad. Maximum {_MOST_CANDLES} points are allowed")
            limit = _MOST_CANDLES
        of = self._engine.mark_candles if of_mark else self._engine.candles
        if of_mark and INTERVALS[interval].endswith("s"):
            raise errors.bad_value("interval")
        bars = of(rules.symbol, INTERVALS[interval], start_ms=start, end_ms=end, limit=limit)
        if of_mark:
            return [formats.price_candle(bar) for bar in bars]
        sizes = self._contracts.sizes(call.headers)
        return [formats.candle(bar, rules, sizes) | {"sum": decimals.exact(bar.quote_volume)} for bar in bars]

    def _tickers(self, call: Call) -> Any:
        if call.params.get("contract"):
            return [self.ticker(self._contracts.requested(call.params))]
        return [self.ticker(rules) for rules in self._engine.symbols()]

    def _funding_rate(self, call: Call) -> Any:
        rules = self._contracts.requested(call.params)
        start, end = parameters.seconds(call.params, "from"), parameters.seconds(call.params, "to")
        rows = [
            {"t": past.time_ms // 1000, "r": decimals.exact(past.funding_rate)}
            for past in reversed(self._engine.funding_history(rules.symbol))
            if (start is None or past.time_ms >= start) and (end is None or past.time_ms < end + 1000)
        ]
        return rows[: parameters.limit(call.params)]

    def _risk_limit_tiers(self, call: Call) -> Any:
        wanted = call.params.get("contract")
        found = [self._contracts.requested(call.params)] if wanted else list(self._engine.symbols())
        rows = [
            {
                "tier": 1,
                "risk_limit": "100000000",
                "initial_rate": decimals.rounded(1 / Decimal(rules.max_leverage)),
                "maintenance_rate": decimals.exact(rules.maintenance_rate),
                "leverage_max": str(rules.max_leverage),
                "deduction": "0",
                "contract": formats.contract(rules),
            }
            for rules in found
        ]
        return parameters.page(rows, call.params)
