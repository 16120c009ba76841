"""Binance USDT-margined perpetuals: https://developers.binance.com/docs/derivatives/usds-margined-futures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.countdown import CountdownRules
from opensqt.model.errors import ExchangeError, PermissionDenied
from opensqt.model.funding import FundingPayment
from opensqt.model.market import Candle, Price
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest
from opensqt.model.venue import Capabilities, MarginModeScope
from opensqt.telemetry.logging import get_logger
from opensqt.venues.binance.causes import fill_kind
from opensqt.venues.binance.errors import CODES, STALE_RULES, UNCHANGED, refusal
from opensqt.venues.binance.funding import FUNDING, funding_pages, parse_funding_payment
from opensqt.venues.binance.limits import RATE_LIMITS
from opensqt.venues.binance.parse import (
    ASSET,
    CREDITS,
    FILL,
    INTERVALS,
    ORDER,
    POSITION,
    BinanceParser,
    parse_account,
    parse_candle,
    parse_fill,
    parse_order,
    parse_position,
    parse_price,
    settlement_asset,
)
from opensqt.venues.binance.public import BinancePublic
from opensqt.venues.binance.requests import BinanceRequests, amend_request, order_ref, order_request
from opensqt.venues.events import Event
from opensqt.venues.parsing import Row, read_each
from opensqt.venues.regions import region_of
from opensqt.venues.rows import FrameFields, member, objects
from opensqt.venues.transport.ccxt_client import CcxtMixin, new_client
from opensqt.venues.transport.symbol_list import ListPlace
from opensqt.venues.venue import WITHDRAWAL_WARNING, Venue

_log = get_logger("venue")
_EVENTS = ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL", "listenKeyExpired")
"""The events of the account stream that are read."""


class CcxtBinance(CcxtMixin, ccxt.pro.binanceusdm):  # type: ignore[misc]
    """The client of ccxt, without its own handling of the listen key."""

    symbol_list = ListPlace(("symbols",), "symbol")
    long_lists = frozenset({"openOrders"})
    names_events = True
    """Whether the address of the account stream names the events."""

    def get_private_ws_url(self, *arguments: Any) -> str:
        """Return the address of the account stream."""
        url = str(super().get_private_ws_url(*arguments))
        return f"{url}&events={'/'.join(_EVENTS)}" if self.names_events else url

    async def authenticate(self, params: Row | None = None) -> None:
        """Do nothing: `BinanceAdapter.watch_private` has created the key before."""


class BinanceAdapter(Venue):
    """Binance behind the interface of `Venue`."""

    name = "binance"
    capabilities = Capabilities(
        max_batch=5,
        intervals=frozenset(INTERVALS),
        margin_modes=frozenset(MarginMode),
        set_leverage=True,
        margin_mode_scope=MarginModeScope.SYMBOL,
        set_position_mode=True,
        funding_payments=True,
        amend_order=True,
    )
    codes = CODES
    frame_fields = FrameFields(channel=("e",), symbol=("s",))
    rate_limits = RATE_LIMITS
    stale_rules = STALE_RULES
    unchanged = UNCHANGED
    symbol_state = ("status", frozenset({"TRADING"}))
    countdown_rules = CountdownRules(
        by_symbol=True,
        cancels="every open order of a symbol that a lease holder has orders in, whoever placed it",
        shortest_s=1,
        longest_s=86_400,
    )

    def __init__(self, settings: VenueSettings, client: Any, rest: Any) -> None:
        super().__init__(settings, client, rest)
        self._requests = BinanceRequests(rest, lambda: int(client.nonce()))
        self._parser = BinanceParser(self)
        self.public = BinancePublic(self, self._requests)
        self._was_connected = False

    @classmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Return the client for the venue, its test network, or a simulator."""
        options = {"recvWindow": settings.recv_window_ms, "watchPositions": {"fetchPositionsSnapshot": False}}
        client = new_client(CcxtBinance, settings, options)
        region_of(settings)
        if settings.base_url:
            api = client.urls["api"]
            for version in ("", "V2", "V3"):
                path = f"/fapi/v{version[1:] or 1}"
                api[f"fapiPublic{version}"] = api[f"fapiPrivate{version}"] = settings.base_url + path
            api["sapi"] = f"{settings.base_url}/sapi/v1"
            api["ws"]["linear"] = f"ws{settings.base_url.removeprefix('http')}/ws"
        elif settings.testnet:
            client.enable_demo_trading(True)
        return client

    def market_quantities(self, market: Row) -> tuple[str, str]:
        """Return the bounds of the filter MARKET_LOT_SIZE, which applies beside LOT_SIZE."""
        filters = {each["filterType"]: each for each in market["info"].get("filters", ())}
        of_market, of_all = filters.get("MARKET_LOT_SIZE", {}), filters.get("LOT_SIZE", {})
        smallest = [each["minQty"] for each in (of_market, of_all) if each.get("minQty")]
        largest = [each["maxQty"] for each in (of_market, of_all) if Decimal(each.get("maxQty") or 0)]
        return max(smallest, key=Decimal, default=""), min(largest, key=Decimal, default="")

    # Orders

    async def place(self, request: OrderRequest) -> Order:
        """Send one order.

        https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Order
        """
        return parse_order(await self._requests.change("PostOrder", self._order_request(request), request.symbol))

    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to five orders."""
        batch = {"batchOrders": [self._order_request(request) for request in requests]}
        rows = await self._requests.change("PostBatchOrders", batch, requests[0].symbol)
        return [
            refusal(row, request.symbol) or self.order_or_unknown(row, request.symbol, parse_order)
            for row, request in zip(rows, requests, strict=True)
        ]

    async def amend(self, order: Order, request: AmendRequest) -> Order:
        """Amend one order; it goes to the end of the queue at its price whatever changes.

        The venue cancels one that is amended to no more than what is filled, and a post-only one that would take:
        https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/Modify-Order
        """
        params = amend_request(order, request, self.market_id(order.symbol))
        return parse_order(await self._requests.change("PutOrder", params, order.symbol))

    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order."""
        return parse_order(await self._requests.change("DeleteOrder", self._order_ref(ref), ref.symbol))

    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to five orders, by one kind of id or, where the kinds are mixed, by both in turn."""
        results: dict[OrderRef, Order | ExchangeError] = {}
        for field in ("origclientorderidlist", "orderidlist"):
            by_client = field == "origclientorderidlist"
            some = [ref for ref in refs if bool(ref.client_order_id) is by_client]
            if not some:
                continue
            ids = [ref.client_order_id or ref.order_id for ref in some]
            params = {"symbol": self.market_id(symbol), field: ids}
            try:
                rows = await self._requests.change("DeleteBatchOrders", params, symbol)
                read = [refusal(row, symbol) or self.order_or_unknown(row, symbol, parse_order) for row in rows]
                results |= dict(zip(some, read, strict=True))
            except ExchangeError as error:
                results |= dict.fromkeys(some, error)
        return [results[ref] for ref in refs]

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        await self._requests.change("DeleteAllOpenOrders", {"symbol": self.market_id(symbol)}, symbol)

    async def set_countdown(self, symbol: str, timeout_s: int) -> None:
        """Start, renew or stop the countdown of a symbol, which costs ten units of weight.

        https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/Auto-Cancel-All-Open-Orders
        """
        params = {"symbol": self.market_id(symbol), "countdownTime": str(timeout_s * 1000)}
        await self._requests.change("PostCountdownCancelAll", params, symbol)

    async def order(self, ref: OrderRef) -> Order:
        """Query one order."""
        return parse_order(await self._requests.query("GetOrder", self._order_ref(ref), ref.symbol))

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders."""
        params = {"symbol": self.market_id(symbol)} if symbol else {}
        return await self.read_open_orders(ORDER, self._requests.open_orders(params, symbol), parse_order)

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Query trades."""
        return self.read_rows(FILL, await self._requests.fills(self.market_id(symbol), symbol, since_ms), parse_fill)

    def with_order(self, fill: Fill, order: Order) -> Fill:
        """Return a fill with its kind: a row of the list of trades has no client order id, which shows it."""
        return replace(fill, kind=fill_kind(order.client_order_id))

    # The account

    async def account(self) -> Account:
        """Query the balance."""
        response = await self._requests.query("V3GetAccount")
        multi_assets = self._parser.multi_assets
        self._parser.asset = settlement_asset(response, multi_assets=multi_assets)
        self.account_mode = _account_mode(self._parser.asset, multi_assets=multi_assets)
        return parse_account(response, multi_assets=multi_assets)

    async def check_account(self) -> None:
        """Query whether every asset serves as margin; both modes are traded in.

        https://developers.binance.com/docs/derivatives/usds-margined-futures/account/rest-api/Get-Current-Multi-Assets-Mode
        """
        mode = member(await self._requests.query("GetMultiAssetsMargin"), "multiAssetsMargin")
        self._parser.multi_assets = str(mode).lower() == "true"
        self.account_mode = _account_mode(ASSET, multi_assets=self._parser.multi_assets)

    async def positions(self, symbol: str = "") -> list[Position]:
        """Query the positions of one symbol (v2 has flat ones and leverage), or all that are held (v3)."""
        if not symbol:
            rows = await self._requests.query("V3GetPositionRisk")
        else:
            rows = await self._requests.query("V2GetPositionRisk", {"symbol": self.market_id(symbol)}, symbol)
            rows = [
                row
                for row in objects(rows, "positions")
                if not isinstance(row, dict) or (row.get("positionSide") == "BOTH") is not self.is_hedge
            ]
        return self.read_rows(POSITION, objects(rows, "positions"), parse_position)

    async def load_position_mode(self) -> None:
        """Query the account's position mode, and keep it."""
        response = await self._requests.query("GetPositionSideDual")
        hedge = str(response["dualSidePosition"]).lower() == "true"
        self.position_mode = PositionMode.HEDGE if hedge else PositionMode.ONE_WAY

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Switch the position mode."""
        params = {"dualSidePosition": "true" if mode is PositionMode.HEDGE else "false"}
        await self.accept_unchanged(self._requests.change("PostPositionSideDual", params))

    async def change_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of a symbol, which both margin modes share."""
        params = {"symbol": self.market_id(symbol), "leverage": str(leverage)}
        await self._requests.change("PostLeverage", params, symbol)

    async def change_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Set the margin mode of a symbol."""
        margin_type = "ISOLATED" if mode is MarginMode.ISOLATED else "CROSSED"
        params = {"symbol": self.market_id(symbol), "marginType": margin_type}
        await self.accept_unchanged(self._requests.change("PostMarginType", params, symbol))

    async def funding_payments(self, symbol: str, since_ms: int) -> list[FundingPayment]:
        """Query funding payments; the venue keeps three months of them."""
        name, now_ms = self.market_id(symbol) if symbol else "", await self.account_now_ms(symbol) if since_ms else 0
        pages = funding_pages(self._requests, name, symbol, since_ms, now_ms)
        return await self.read_funding_payments(FUNDING, pages, parse_funding_payment, symbol)

    async def key_warnings(self) -> list[str]:
        """Warn of a key that may withdraw, refuse one that may not trade; the test network has no such endpoint."""
        if self.settings.testnet:
            return []
        try:
            rights = await self.rest.send("sapiGetAccountApiRestrictions")
        except ExchangeError as error:
            return [f"the rights of the key could not be queried: {error}"]
        if str(rights.get("enableFutures", True)).lower() == "false":
            raise PermissionDenied("this key may not trade futures: allow it `Enable Futures`")
        if str(rights.get("enableWithdrawals")).lower() == "true":
            return [WITHDRAWAL_WARNING]
        return []

    # The market

    async def price(self, symbol: str) -> Price:
        """Query the best bid and ask."""
        params = {"symbol": self.market_id(symbol)}
        row = await self._requests.query("GetTickerBookTicker", params, symbol, public=True)
        return self.require_price(parse_price(row, symbol), symbol)

    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Query candles."""
        params: Row = {"symbol": self.market_id(symbol), "interval": interval, "limit": str(limit)}
        if start_ms is not None:
            params["startTime"] = str(start_ms)
        if end_ms is not None:
            params["endTime"] = str(end_ms)
        rows = await self._requests.query("GetKlines", params, symbol, public=True)
        candles = read_each(
            self.set_aside, "candle", symbol, objects(rows, "klines"), lambda row: parse_candle(row, symbol, interval)
        )
        return await self.with_last_open(candles)

    # Streams

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of one frame."""
        return self._parser.parse(frame)

    def is_private(self, url: str) -> bool:
        """Return whether a connection carries the account's events: its address holds the listen key."""
        return "listenKey=" in url

    async def watch_private(self) -> None:
        """Hold the account stream; the venue returns the valid listen key, prolonged, or a new one.

        Whether the address must name the events is not certain: the documents show both, and a connection of the wrong
        kind is silent. So the stream itself shows it: one that is replaced and has brought no event, though a response
        of the venue had reported a change, is followed by one of the other kind.
        """
        if self._was_connected and not self._parser.account_events:
            self.client.names_events = not self.client.names_events
            _log.info("account stream brought nothing: trying the other address", events=self.client.names_events)
        self._was_connected, self._parser.account_events = True, 0
        response = await self._requests.query("PostListenKey")
        self.client.options["linear"] = {"listenKey": response["listenKey"]}
        await self.client.watch_orders()

    async def renew_key(self) -> None:
        """Prolong the listen key for an hour."""
        await self._requests.query("PutListenKey")

    def _order_request(self, request: OrderRequest) -> Row:
        return order_request(request, self.market_id(request.symbol), hedge=self.is_hedge)

    def _order_ref(self, ref: OrderRef) -> Row:
        return order_ref(ref, self.market_id(ref.symbol))


def _account_mode(asset: str, *, multi_assets: bool) -> str:
    if asset == CREDITS:
        return "credits trading"
    return "multi-assets" if multi_assets else "single-asset"
