"""Bitget's account endpoints: balance, positions, leverage and modes, bills, and permissions of a key."""

from __future__ import annotations

from typing import Any

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import Side
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, Params, Route, World
from opensqt.simulator.dialects.bitget import errors, formats, parameters
from opensqt.simulator.engine.closed_positions import closed_positions
from opensqt.simulator.engine.order import RefusalReason, Refused
from opensqt.simulator.settings import SymbolSettings

_POSITION_MODES = {name: mode for mode, name in formats.POSITION_MODE.items()}
_MARGIN_MODES = {"crossed": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
_BUSINESSES = ("mix", "spot", "margin")
_READING = ["coor", "cpor"]
"""Permissions of a key: futures orders and holdings, to read and to write, and withdrawals."""
_TRADING = ["coow", "cpow"]
_WITHDRAWING = ["wwow"]


class AccountData:
    """Data of the account that signed the call."""

    def __init__(self, world: World) -> None:
        self._engine = world.engine
        self._settings = world.settings
        self._keys = world.keys

    def routes(self) -> list[Route]:
        """Return the endpoints; the weight is the number of calls that one account may make in a second."""

        def get(path: str, operation: str, handler: Any, weight: int = 10) -> Route:
            return Route("GET", f"/api/v2/{path}", operation, handler, weight)

        def post(path: str, handler: Any) -> Route:
            return Route("POST", f"/api/v2/mix/account/{path}", "settings", handler, 5)

        return [
            get("mix/account/account", "account", self._one_account),
            get("mix/account/accounts", "account", self._accounts),
            get("mix/account/bill", "fills", self._bills),
            get("mix/position/single-position", "positions", self._one_position),
            get("mix/position/all-position", "positions", self._positions, 5),
            get("mix/position/history-position", "positions", self._closed_positions, 20),
            get("mix/account/max-open", "account", self._most_open),
            get("mix/account/open-count", "account", self._open_count),
            get("common/trade-rate", "settings", self._trade_rate),
            get("spot/account/info", "settings", self._info, 1),
            Route("GET", "/api/v3/account/info", "settings", self._unified_info, 5),
            post("set-leverage", self._set_leverage),
            post("set-margin-mode", self._set_margin_mode),
            post("set-position-mode", self._set_position_mode),
        ]

    def _one_account(self, call: Call) -> Any:
        rules = self._rules(call.params)
        parameters.text(call.params, "marginCoin")
        leverage = str(self._engine.leverage(call.account, rules.symbol))
        return formats.account(self._engine.balance(call.account)) | {
            "crossedMarginLeverage": leverage,
            "isolatedLongLever": leverage,
            "isolatedShortLever": leverage,
            "marginMode": formats.MARGIN_MODE[self._engine.margin_mode(call.account, rules.symbol)],
            "posMode": formats.POSITION_MODE[self._engine.position_mode(call.account)],
        }

    def _accounts(self, call: Call) -> Any:
        if parameters.product_type(call.params) != parameters.PRODUCT_TYPE:
            return []
        balance = self._engine.balance(call.account)
        margins = {"isolatedMargin": "0", "crossedMargin": decimals.rounded(balance.initial_margin)}
        return [formats.account(balance) | margins]

    def _one_position(self, call: Call) -> Any:
        return self._held(call, self._rules(call.params).symbol)

    def _positions(self, call: Call) -> Any:
        known = parameters.product_type(call.params) == parameters.PRODUCT_TYPE
        return self._held(call, None) if known and parameters.is_margin_coin(call.params) else []

    def _closed_positions(self, call: Call) -> Any:
        """Return positions that were closed, those that closed last first."""
        params = call.params
        parameters.futures(params)
        symbol = self._rules(params).symbol if params.get("symbol") else None
        start, end = (parameters.integer(params, name) for name in ("startTime", "endTime"))
        before = parameters.integer(params, "idLessThan")
        found = closed_positions(
            self._engine.fills(call.account, symbol), self._engine.funding_payments(call.account, symbol)
        )
        numbered = [(number, each) for number, each in enumerate(found, 1) if each.ended]
        rows = [
            formats.closed_position(each, str(number), self._engine.margin_mode(call.account, each.symbol))
            for number, each in sorted(numbered, key=lambda pair: pair[1].updated_ms, reverse=True)
            if (start is None or each.updated_ms >= start)
            and (end is None or each.updated_ms <= end)
            and (before is None or number < before)
        ][: parameters.limit(params, default=20)]
        return {"list": rows, "endId": rows[-1]["positionId"] if rows else None}

    def _most_open(self, call: Call) -> Any:
        rules = self._rules(call.params)
        parameters.text(call.params, "marginCoin")
        long = parameters.choice(call.params, "posSide", {"long": True, "short": False})
        limit = parameters.choice(call.params, "orderType", {"limit": True, "market": False})
        price = parameters.decimal(call.params, "openPrice") if limit else None
        side = Side.BUY if long else Side.SELL
        return {"maxOpen": decimals.exact(self._engine.most_quantity(call.account, rules.symbol, side, price))}

    def _open_count(self, call: Call) -> Any:
        """Return how much an amount of margin opens."""
        rules = self._rules(call.params)
        parameters.text(call.params, "marginCoin")
        amount, price = (parameters.decimal(call.params, name) for name in ("openAmount", "openPrice"))
        leverage = parameters.integer(call.params, "leverage") or self._engine.leverage(call.account, rules.symbol)
        if not price:
            raise errors.bad_value("openPrice")
        size = amount * leverage / price
        return {"size": decimals.exact(size - size % rules.quantity_step)}

    def _held(self, call: Call, symbol: str | None) -> list[dict[str, Any]]:
        """Return the positions that are not flat; a flat one is left out."""
        equity = self._engine.balance(call.account).margin_balance
        return [
            formats.position(position, self._engine.symbol(position.symbol), equity)
            for position in self._engine.positions(call.account, symbol)
            if position.quantity
        ]

    def _trade_rate(self, call: Call) -> Any:
        self._engine.symbol(parameters.text(call.params, "symbol").upper())
        if parameters.text(call.params, "businessType") not in _BUSINESSES:
            raise errors.bad_value("businessType")
        return {
            "makerFeeRate": decimals.exact(self._settings.maker_fee),
            "takerFeeRate": decimals.exact(self._settings.taker_fee),
        }

    def _info(self, call: Call) -> Any:
        account = self._keys[call.key]
        rights = _READING + _TRADING * account.may_trade + _WITHDRAWING * account.may_withdraw
        return {
            "userId": "1",
            "inviterId": "",
            "ips": "",
            "authorities": rights,
            "parentId": 1,
            "traderType": "not_trader",
            "channelCode": "",
            "channel": "",
            "regisTime": "0",
        }

    def _unified_info(self, call: Call) -> Any:
        account = self._keys[call.key]
        return {
            "userId": "1",
            "inviterId": None,
            "parentId": None,
            "channelCode": "",
            "channel": "",
            "ips": "",
            "permType": "read_and_write" if account.may_trade else "read_only",
            "permissions": ["uta_mgt", "uta_trade", *(["withdraw"] * account.may_withdraw)],
            "regisTime": "0",
        }

    def _bills(self, call: Call) -> Any:
        parameters.futures(call.params)
        rows = []
        for fill in self._engine.fills(call.account):
            kind = "close_long" if fill.realized_pnl else "open_long"
            fee, amount = decimals.exact(-fill.fee), decimals.exact(fill.realized_pnl)
            rows.append(_bill(f"{fill.symbol}-{fill.trade_id}", fill.symbol, kind, amount, fee, fill.time_ms))
        for paid in self._engine.funding_payments(call.account):
            amount = decimals.exact(paid.amount)
            rows.append(_bill(str(paid.payment_id), paid.symbol, "contract_settle_fee", amount, "0", paid.time_ms))
        start, end = (parameters.integer(call.params, name) for name in ("startTime", "endTime"))
        wanted = call.params.get("businessType", "")
        symbol, coin = call.params.get("symbol", "").upper(), call.params.get("coin", "").upper()
        rows = [
            row
            for row in sorted(rows, key=lambda row: (int(row["cTime"]), row["billId"]), reverse=True)
            if (start is None or int(row["cTime"]) >= start)
            and (end is None or int(row["cTime"]) <= end)
            and wanted in ("", row["businessType"])
            and symbol in ("", row["symbol"])
            and coin in ("", row["coin"])
        ]
        last = next((place for place, row in enumerate(rows) if row["billId"] == call.params.get("idLessThan")), -1)
        rows = rows[last + 1 :][: parameters.limit(call.params, default=20)]
        return {"bills": rows, "endId": rows[-1]["billId"] if rows else None}

    def _set_leverage(self, call: Call) -> Any:
        rules = self._rules(call.params)
        parameters.text(call.params, "marginCoin")
        leverage = parameters.integer(call.params, "leverage")
        if leverage is None:
            raise errors.missing("leverage")
        if not call.ignored:
            self._engine.set_leverage(call.account, rules.symbol, leverage)
        text = str(leverage)
        return {
            "symbol": rules.symbol,
            "marginCoin": rules.quote_asset,
            "longLeverage": text,
            "shortLeverage": text,
            "crossMarginLeverage": text,
            "marginMode": formats.MARGIN_MODE[self._engine.margin_mode(call.account, rules.symbol)],
        }

    def _set_margin_mode(self, call: Call) -> Any:
        rules = self._rules(call.params)
        mode = parameters.choice(call.params, "marginMode", _MARGIN_MODES)
        if not call.ignored:
            try:
                self._engine.set_margin_mode(call.account, rules.symbol, mode)
            except Refused as refused:
                # A request for the current mode is not an error here.
                if refused.reason is not RefusalReason.NO_CHANGE:
                    raise errors.margin_mode_kept() from refused
        leverage = str(self._engine.leverage(call.account, rules.symbol))
        return {
            "symbol": rules.symbol,
            "marginCoin": rules.quote_asset,
            "longLeverage": leverage,
            "shortLeverage": leverage,
            "marginMode": call.params["marginMode"],
        }

    def _set_position_mode(self, call: Call) -> Any:
        parameters.futures(call.params)
        mode: PositionMode = parameters.choice(call.params, "posMode", _POSITION_MODES)
        if not call.ignored and mode is not self._engine.position_mode(call.account):
            self._engine.set_position_mode(call.account, mode)
        return {"posMode": formats.POSITION_MODE[mode]}

    def _rules(self, params: Params) -> SymbolSettings:
        parameters.futures(params)
        return self._engine.symbol(parameters.text(params, "symbol").upper())


def _bill(name: str, symbol: str, kind: str, amount: str, fee: str, time_ms: int) -> dict[str, Any]:
    return {
        "billId": name,
        "symbol": symbol,
        "amount": amount,
        "fee": fee,
        "feeByCoupon": "",
        "businessType": kind,
        "coin": "USDT",
        "balance": "",
        "cTime": str(time_ms),
    }
