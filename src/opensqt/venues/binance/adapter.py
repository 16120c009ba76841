"""Binance USDT-margined perpetuals: https://developers.binance.com/docs/derivatives/usds-margined-futures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.errors import ExchangeError, PermissionDenied, VenueError
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import (
    Fill,
    Order,
    OrderRef,
    OrderRequest,
    OrderType,
    PositionSide,
)
from opensqt.model.venue import Capabilities
from opensqt.venues.binance import errors as venue_errors
from opensqt.venues.binance import parse
from opensqt.venues.binance.limits import RATE_LIMITS
from opensqt.venues.transport.ccxt_client import CcxtMixin
from opensqt.venues.transport.errors import VenueReply, translate
from opensqt.venues.venue import BalanceChange, Event, LeverageChange, StreamExpired, Venue

Row = dict[str, Any]
_FILLS_PAGE = 1_000
_WEEK_MS = 7 * 86_400_000
_WEEKS_KEPT = 26


class _Client(CcxtMixin, ccxt.pro.binanceusdm):  # type: ignore[misc]
    """ccxt's client, with the listen key's life in our hands."""

    async def authenticate(self, params: Row | None = None) -> None:
        """Do nothing: `Binance.watch_private` has the key by now."""


class Binance(Venue):
    """What Binance does differently."""

    name = "binance"
    capabilities = Capabilities(max_batch=5, intervals=frozenset(INTERVALS_MS), margin_modes=frozenset(MarginMode))
    codes = venue_errors.CODES
    rate_limits = RATE_LIMITS
    stale_rules = venue_errors.STALE_RULES

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Make the client for the venue, its test network, or a simulator."""
        client = _Client(
            {
                "apiKey": settings.api_key.get_secret_value(),
                "secret": settings.secret.get_secret_value(),
                "enableRateLimit": False,
                "timeout": int(settings.request_timeout_s * 1000),
                "options": {
                    "recvWindow": settings.recv_window_ms,
                    "watchPositions": {"fetchPositionsSnapshot": False},
                },
            }
        )
        client.number = str
        if settings.base_url:
            client.timeout_on_exit = 0  # no TLS to wind down
            api = client.urls["api"]
            for version in ("", "V2", "V3"):
                path = f"/fapi/v{version[1:] or 1}"
                api[f"fapiPublic{version}"] = api[f"fapiPrivate{version}"] = settings.base_url + path
            api["sapi"] = f"{settings.base_url}/sapi/v1"
            api["ws"]["linear"] = f"ws{settings.base_url.removeprefix('http')}/ws"
        elif settings.testnet:
            client.enable_demo_trading(True)
        return client

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Order."""
        params = self._order_params(request)
        return parse.order(await self.rest.send("fapiPrivatePostOrder", params, changes=True, symbol=request.symbol))

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to five orders."""
        batch = {"batchOrders": [self._order_params(request) for request in requests]}
        rows = await self.rest.send("fapiPrivatePostBatchOrders", batch, changes=True, symbol=requests[0].symbol)
        return [self._order_or_error(row, requests[0].symbol) for row in rows]

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order."""
        return parse.order(
            await self.rest.send("fapiPrivateDeleteOrder", self._ref_params(ref), changes=True, symbol=ref.symbol)
        )

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to five orders, by one kind of id or, where the kinds are mixed, by both in turn."""
        answers: dict[OrderRef, Order | ExchangeError] = {}
        for field in ("origclientorderidlist", "orderidlist"):
            by_client = field == "origclientorderidlist"
            some = [ref for ref in refs if bool(ref.client_order_id) is by_client]
            if not some:
                continue
            ids = [ref.client_order_id or ref.order_id for ref in some]
            params = {"symbol": self.market_id(symbol), field: ids}
            try:
                rows = await self.rest.send("fapiPrivateDeleteBatchOrders", params, changes=True, symbol=symbol)
                answers |= {ref: self._order_or_error(row, symbol) for ref, row in zip(some, rows, strict=True)}
            except ExchangeError as error:
                answers |= dict.fromkeys(some, error)
        return [answers[ref] for ref in refs]

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        params = {"symbol": self.market_id(symbol)}
        await self.rest.send("fapiPrivateDeleteAllOpenOrders", params, changes=True, symbol=symbol)

    async def order(self, ref: OrderRef) -> Order:
        """Ask for one order."""
        return parse.order(await self.rest.send("fapiPrivateGetOrder", self._ref_params(ref), symbol=ref.symbol))

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Ask for the open orders."""
        params = {"symbol": self.market_id(symbol)} if symbol else {}
        rows = await self.rest.send("fapiPrivateGetOpenOrders", params, symbol=symbol)
        return self.parse_rows((row for row in rows if row["symbol"] in self.rules), parse.order)

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Ask for trades; a time window holds a week at most, so the first page is looked for and then followed."""
        rows = await self._first_fills(symbol, since_ms)
        page = rows
        while since_ms and page and (len(page) >= _FILLS_PAGE or _is_old(page[-1], self.client.nonce())):
            page = await self._fills_page(symbol, fromId=str(int(page[-1]["id"]) + 1))
            rows = rows + page
        return self.parse_rows(rows, parse.fill)

    # The account

    async def account(self) -> Account:
        """Ask for the balance of the margin asset."""
        answer = await self.rest.send("fapiPrivateV3GetAccount")
        row: Row = next((row for row in answer["assets"] if row["asset"] == parse.ASSET), {})
        return Account(
            asset=parse.ASSET,
            wallet_balance=Decimal(row.get("walletBalance", "0")),
            unrealized_pnl=Decimal(row.get("unrealizedProfit", "0")),
            available_balance=Decimal(row.get("availableBalance", "0")),
            initial_margin=Decimal(row.get("initialMargin", "0")),
            maintenance_margin=Decimal(row.get("maintMargin", "0")),
            event_time_ms=int(row.get("updateTime", 0)),
            received_ns=time.time_ns(),
        )

    async def positions(self, symbol: str = "") -> list[Position]:
        """Ask for one symbol's positions (v2 tells flat ones and leverage), or for all that are held (v3)."""
        if not symbol:
            rows = await self.rest.send("fapiPrivateV3GetPositionRisk")
        else:
            params = {"symbol": self.market_id(symbol)}
            rows = await self.rest.send("fapiPrivateV2GetPositionRisk", params, symbol=symbol)
            rows = [row for row in rows if (row["positionSide"] == "BOTH") is (self._one_way)]
        return self.parse_rows((row for row in rows if row["symbol"] in self.rules), parse.position)

    async def load_position_mode(self) -> None:
        """Find out the account's position mode."""
        answer = await self.rest.send("fapiPrivateGetPositionSideDual")
        hedge = str(answer["dualSidePosition"]).lower() == "true"
        self.position_mode = PositionMode.HEDGE if hedge else PositionMode.ONE_WAY

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Ask the venue to switch the mode."""
        params = {"dualSidePosition": "true" if mode is PositionMode.HEDGE else "false"}
        await self.rest.send("fapiPrivatePostPositionSideDual", params, changes=True)

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol, and ask what it is."""
        params = {"symbol": self.market_id(symbol), "leverage": str(leverage)}
        await self.rest.send("fapiPrivatePostLeverage", params, changes=True, symbol=symbol)
        held = await self.positions(symbol)
        if not held or held[0].leverage is None:
            raise VenueError(f"leverage of {symbol}: the venue does not tell it", symbol=symbol)
        return held[0].leverage

    async def key_warnings(self) -> list[str]:
        """Tell whether the key may withdraw, and refuse one that may not trade; the test network has no such answer."""
        if self.settings.testnet:
            return []
        try:
            rights = await self.rest.send("sapiGetAccountApiRestrictions")
        except ExchangeError as error:
            return [f"what the key may do could not be asked: {error}"]
        if str(rights.get("enableFutures", True)).lower() == "false":
            raise PermissionDenied("this key may not trade futures: allow it `Enable Futures`")
        if str(rights.get("enableWithdrawals")).lower() == "true":
            return ["this key may withdraw: take that right from it, trading does not need it"]
        return []

    # The market

    async def price(self, symbol: str) -> Price:
        """Ask for the best bid and ask."""
        params = {"symbol": self.market_id(symbol)}
        row = await self.rest.send("fapiPublicGetTickerBookTicker", params, symbol=symbol)
        return parse.price(symbol, row["bidPrice"], row["askPrice"], row["bidQty"], row["askQty"], row["time"])

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Ask for candles."""
        params: Row = {"symbol": self.market_id(symbol), "interval": interval, "limit": str(limit)}
        if start_ms is not None:
            params["startTime"] = str(start_ms)
        if end_ms is not None:
            params["endTime"] = str(end_ms)
        rows = await self.rest.send("fapiPublicGetKlines", params, symbol=symbol)
        last_closed = bool(rows) and await self.has_passed(symbol, int(rows[-1][6]))
        return [parse.candle(symbol, interval, row, closed=row is not rows[-1] or last_closed) for row in rows]

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Read one frame; its field names are in the venue's WebSocket documents."""
        kind = frame.get("e")
        if kind == "bookTicker":
            return (parse.price(frame["s"], frame["b"], frame["a"], frame["B"], frame["A"], frame["T"]),)
        if kind == "kline":
            return (parse.streamed_candle(frame),)
        if kind == "ORDER_TRADE_UPDATE":
            row = frame["o"]
            return (parse.order_update(row, frame["T"]),) if row["s"] in self.rules else ()
        if kind == "ACCOUNT_UPDATE":
            # In hedge mode the venue tells an empty BOTH beside the two that exist.
            return [event for event in parse.account_update(frame) if self._is_ours(event)]
        if kind == "listenKeyExpired":
            return (StreamExpired(),)
        if kind == "ACCOUNT_CONFIG_UPDATE":
            change = frame.get("ac")
            return (LeverageChange(symbol=change["s"], leverage=Decimal(change["l"])),) if change else ()
        if kind is None and ("id" in frame or "result" in frame or "error" in frame):
            return None
        # MARGIN_CALL, TRADE_LITE and what the venue will think of next: not ours to act on, and no error.
        self.count_unknown(str(kind))
        return ()

    def is_private(self, url: str) -> bool:
        """Whether a connection carries the account's events: its address holds the listen key."""
        return "listenKey=" in url

    async def watch_private(self) -> None:
        """Hold the account's stream; asked for a key, the venue answers the living one, prolonged, or a new one."""
        answer = await self.rest.send("fapiPrivatePostListenKey")
        self.client.options["linear"] = {"listenKey": answer["listenKey"]}
        await self.client.watch_orders()

    async def renew_key(self) -> None:
        """Prolong the listen key for an hour."""
        await self.rest.send("fapiPrivatePutListenKey")

    def _is_ours(self, event: BalanceChange | Position) -> bool:
        if isinstance(event, BalanceChange):
            return True
        return event.symbol in self.rules and (event.position_side is PositionSide.BOTH) is self._one_way

    # Ours to the venue's

    @property
    def _one_way(self) -> bool:
        return self.position_mode is PositionMode.ONE_WAY

    def _order_params(self, request: OrderRequest) -> Row:
        params = {
            "symbol": self.market_id(request.symbol),
            "side": request.side.value,
            "type": request.order_type.value,
            "quantity": format(request.quantity, "f"),
            "newClientOrderId": request.client_order_id,
            "positionSide": request.position_side.value,
            "newOrderRespType": "RESULT",
        }
        if request.order_type is OrderType.LIMIT and request.price is not None:
            params["price"] = format(request.price, "f")
            params["timeInForce"] = parse.TIME_IN_FORCE[request.time_in_force]
        if request.reduce_only and self._one_way:
            # In hedge mode the position side says it, and the flag is refused.
            params["reduceOnly"] = "true"
        return params

    def _ref_params(self, ref: OrderRef) -> Row:
        params = {"symbol": self.market_id(ref.symbol)}
        if ref.client_order_id:
            return params | {"origClientOrderId": ref.client_order_id}
        return params | {"orderId": ref.order_id}

    def _order_or_error(self, row: Row, symbol: str) -> Order | ExchangeError:
        if "orderId" in row:
            return parse.order(row)
        reply = VenueReply(error=ccxt.ExchangeError, http_status=400, code=str(row["code"]), message=str(row["msg"]))
        return translate(reply, self.codes, changes=True, symbol=symbol)

    # The venue's to ours

    async def _first_fills(self, symbol: str, since_ms: int) -> list[Row]:
        if not since_ms:
            return await self._fills_page(symbol)
        rows = await self._fills_page(symbol, startTime=str(since_ms))
        now_ms = int(self.client.nonce())
        start_ms = max(since_ms + _WEEK_MS, now_ms - _WEEKS_KEPT * _WEEK_MS)
        while not rows and start_ms < now_ms:
            rows = await self._fills_page(symbol, startTime=str(start_ms))
            start_ms += _WEEK_MS
        return rows

    async def _fills_page(self, symbol: str, **params: str) -> list[Row]:
        query = {"symbol": self.market_id(symbol), "limit": str(_FILLS_PAGE), **params}
        rows: list[Row] = await self.rest.send("fapiPrivateGetUserTrades", query, symbol=symbol)
        return sorted(rows, key=lambda row: int(row["id"]))


def _is_old(row: Row, now_ms: int) -> bool:
    """Whether trades after *row* may lie beyond the week that its window held."""
    return int(row["time"]) < now_ms - _WEEK_MS
