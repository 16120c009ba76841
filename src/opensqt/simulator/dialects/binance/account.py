"""Binance's account endpoints: balance, positions, leverage and modes, income, and permissions of a key."""

from __future__ import annotations

from typing import Any

import orjson

from opensqt.model.account import MarginMode, PositionMode
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, ErrorReply, Params, Route, World
from opensqt.simulator.dialects.binance import errors, formats, parameters
from opensqt.simulator.engine.order import RefusalReason, Refused
from opensqt.simulator.settings import SymbolSettings

_EMPTY_LISTS = ("capital/config/getall", "margin/allPairs", "margin/isolated/allPairs")
"""Assets that clients of the whole venue query before they trade futures; only futures exist here."""
_DONE = {"code": 200, "msg": "success"}
ACCOUNT_MODES = _SINGLE_ASSET, _MULTI_ASSETS, CREDITS_TRADING = ("single_asset", "multi_assets", "credits_trading")
CREDITS = "BNFCR"
"""The asset of credits trading, which is a multi-assets mode."""
_MARGIN_TYPES = {"CROSSED": MarginMode.CROSS, "ISOLATED": MarginMode.ISOLATED}
_MARGIN_TYPE_NAMES = {mode: name for name, mode in _MARGIN_TYPES.items()}
_MARGIN_TYPE_REFUSALS = {
    RefusalReason.NO_CHANGE: ("-4046", "No need to change margin type."),
    RefusalReason.ORDERS_OPEN: ("-4047", "Margin type cannot be changed if there exists open orders."),
    RefusalReason.POSITION_OPEN: ("-4048", "Margin type cannot be changed if there exists position."),
}


class AccountData:
    """Data of the account that signed the call."""

    def __init__(self, world: World) -> None:
        self._engine = world.engine
        self._settings = world.settings
        self._keys = world.keys
        self._deposited_ms = world.engine.now_ms()

    def routes(self) -> list[Route]:
        """Return the endpoints."""

        def get(path: str, operation: str, handler: Any, weight: int = 5) -> Route:
            return Route("GET", path, operation, handler, weight)

        def post(path: str, handler: Any) -> Route:
            return Route("POST", f"/fapi/v1/{path}", "settings", handler)

        return [
            get("/fapi/v2/account", "account", self._account_v2),
            get("/fapi/v3/account", "account", self._account_v3),
            get("/fapi/v2/balance", "account", self._balance),
            get("/fapi/v3/balance", "account", self._balance),
            get("/fapi/v2/positionRisk", "positions", self._positions_v2),
            get("/fapi/v3/positionRisk", "positions", self._positions_v3),
            get("/fapi/v1/adlQuantile", "positions", self._adl_quantiles),
            get("/fapi/v1/accountConfig", "settings", self._account_config),
            get("/fapi/v1/symbolConfig", "settings", self._symbol_config),
            get("/fapi/v1/leverageBracket", "settings", self._leverage_brackets, 1),
            get("/fapi/v1/commissionRate", "settings", self._commission_rate, 20),
            get("/fapi/v1/positionSide/dual", "settings", self._position_mode, 30),
            get("/fapi/v1/multiAssetsMargin", "settings", self._multi_assets, 30),
            get("/fapi/v1/feeBurn", "settings", lambda _call: {"feeBurn": False}, 30),
            get("/fapi/v1/apiTradingStatus", "account", self._trading_status, 1),
            get("/fapi/v1/income", "fills", self._income, 30),
            get("/sapi/v1/account/apiRestrictions", "account", self._key_permissions, 1),
            *(get(f"/sapi/v1/{path}", "market_data", lambda _call: [], 10) for path in _EMPTY_LISTS),
            post("leverage", self._set_leverage),
            post("marginType", self._set_margin_type),
            post("positionSide/dual", self._set_position_mode),
            post("multiAssetsMargin", self._set_multi_assets),
        ]

    def _account_v2(self, call: Call) -> Any:
        can = {"canTrade": True, "canDeposit": True, "canWithdraw": True, "feeTier": 0, "feeBurn": False}
        extra = {**self._multi_assets(call), "tradeGroupId": -1, "updateTime": 0}
        return {**can, **extra, **self._account(call, v2=True)}

    def _account_v3(self, call: Call) -> Any:
        return self._account(call, v2=False)

    def _account(self, call: Call, *, v2: bool) -> dict[str, Any]:
        balance = self._engine.balance(call.account)
        updated_ms = balance.updated_ms or self._deposited_ms
        assets = [formats.asset(balance, updated_ms)]
        if balance.collateral:
            assets.append(formats.collateral(balance, updated_ms))
        positions = [
            formats.account_position(position, self._engine.symbol(position.symbol), v2=v2)
            for position in self._engine.positions(call.account)
            if v2 or position.quantity or position.order_margin
        ]
        return {**formats.account_totals(balance), "assets": assets, "positions": positions}

    def _balance(self, call: Call) -> Any:
        balance = self._engine.balance(call.account)
        return [
            {
                "accountAlias": "Simulated",
                "asset": balance.asset,
                "balance": decimals.exact(balance.wallet_balance),
                "crossWalletBalance": decimals.exact(balance.wallet_balance),
                "crossUnPnl": decimals.rounded(balance.unrealized_pnl),
                "availableBalance": decimals.rounded(balance.available_balance),
                "maxWithdrawAmount": decimals.rounded(balance.available_balance),
                "marginAvailable": True,
                "updateTime": balance.updated_ms or self._deposited_ms,
            }
        ]

    def _multi_assets(self, call: Call) -> Any:
        return {"multiAssetsMargin": self._engine.account_mode(call.account) != _SINGLE_ASSET}

    def _positions_v2(self, call: Call) -> Any:
        found = self._engine.positions(call.account, self._symbol_or_all(call.params))
        return [formats.position_v2(each, self._engine.symbol(each.symbol)) for each in found]

    def _positions_v3(self, call: Call) -> Any:
        found = self._engine.positions(call.account, self._symbol_or_all(call.params))
        return [
            formats.position_v3(each, self._engine.symbol(each.symbol))
            for each in found
            if each.quantity or each.order_margin
        ]

    def _adl_quantiles(self, call: Call) -> Any:
        """Return the place in the queue of automatic deleveraging, which is not simulated: always the last one."""
        symbol = self._symbol_or_all(call.params)
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        sides = ("LONG", "SHORT", "HEDGE") if hedge else ("LONG", "SHORT", "BOTH")
        held = {each.symbol for each in self._engine.positions(call.account, symbol) if each.quantity}
        return [{"symbol": name, "adlQuantile": dict.fromkeys(sides, 0)} for name in sorted(held)]

    def _account_config(self, call: Call) -> Any:
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "dualSidePosition": self._engine.position_mode(call.account) is PositionMode.HEDGE,
            "updateTime": 0,
            **self._multi_assets(call),
            "tradeGroupId": -1,
        }

    def _symbol_config(self, call: Call) -> Any:
        symbol = self._symbol_or_all(call.params)
        return [
            {
                "symbol": rules.symbol,
                "marginType": _MARGIN_TYPE_NAMES[self._engine.margin_mode(call.account, rules.symbol)],
                "isAutoAddMargin": False,
                "leverage": self._engine.leverage(call.account, rules.symbol),
                "maxNotionalValue": "100000000",
            }
            for rules in self._engine.symbols()
            if symbol in (None, rules.symbol)
        ]

    def _leverage_brackets(self, call: Call) -> Any:
        symbol = self._symbol_or_all(call.params)
        return [
            {
                "symbol": rules.symbol,
                "notionalCoef": orjson.Fragment(b"1.50"),
                "brackets": [
                    {
                        "bracket": 1,
                        "initialLeverage": rules.max_leverage,
                        "notionalCap": 100_000_000,
                        "notionalFloor": 0,
                        "maintMarginRatio": orjson.Fragment(decimals.exact(rules.maintenance_rate)),
                        "cum": orjson.Fragment(b"0.0"),
                    }
                ],
            }
            for rules in self._engine.symbols()
            if symbol in (None, rules.symbol)
        ]

    def _commission_rate(self, call: Call) -> Any:
        return {
            "symbol": self._rules(call.params).symbol,
            "makerCommissionRate": decimals.exact(self._settings.maker_fee),
            "takerCommissionRate": decimals.exact(self._settings.taker_fee),
        }

    def _position_mode(self, call: Call) -> Any:
        return {"dualSidePosition": self._engine.position_mode(call.account) is PositionMode.HEDGE}

    def _trading_status(self, call: Call) -> Any:
        self._symbol_or_all(call.params)
        return {"indicators": {}, "updateTime": self._engine.clock.server_ms()}

    def _key_permissions(self, call: Call) -> Any:
        account = self._keys[call.key]
        rights = {"enableFutures": account.may_trade, "enableWithdrawals": account.may_withdraw}
        no = ("ipRestrict", "enableInternalTransfer", "enableMargin", "enableVanillaOptions")
        more = ("permitsUniversalTransfer", "enableSpotAndMarginTrading", "enablePortfolioMarginTrading")
        return {"createTime": 0, **dict.fromkeys(no + more, False), "enableReading": True, **rights}

    def _income(self, call: Call) -> Any:
        symbol = self._symbol_or_all(call.params)
        wanted = call.params.get("incomeType", "")
        start, end = parameters.integer(call.params, "startTime"), parameters.integer(call.params, "endTime")
        limit = parameters.limit(call.params, default=100, most=1000)
        rows = self._fill_income(call.account, symbol)
        for paid in self._engine.funding_payments(call.account, symbol):
            row = _income_row(paid.symbol, "FUNDING_FEE", decimals.exact(paid.amount), paid.time_ms, "")
            rows.append(row | {"tranId": paid.payment_id})
        rows = [
            row
            for row in sorted(rows, key=lambda row: row["time"])
            if (not wanted or row["incomeType"] == wanted)
            and (start is None or row["time"] >= start)
            and (end is None or row["time"] <= end)
        ]
        page = max(1, parameters.integer(call.params, "page") or 1)
        if start is None and "page" not in call.params:
            return rows[-limit:]
        return rows[(page - 1) * limit : page * limit]

    def _fill_income(self, account: str, symbol: str | None) -> list[dict[str, Any]]:
        rows = []
        for fill in self._engine.fills(account, symbol):
            rows.append(_income_row(fill.symbol, "COMMISSION", decimals.exact(-fill.fee), fill.time_ms, fill.trade_id))
            if fill.realized_pnl:
                profit = decimals.exact(fill.realized_pnl)
                rows.append(_income_row(fill.symbol, "REALIZED_PNL", profit, fill.time_ms, fill.trade_id))
        return rows

    def _set_leverage(self, call: Call) -> Any:
        rules = self._rules(call.params)
        leverage = parameters.integer(call.params, "leverage")
        if leverage is None:
            raise errors.missing("leverage")
        if not call.ignored:
            try:
                self._engine.set_leverage(call.account, rules.symbol, leverage)
            except Refused as refused:
                if refused.reason is RefusalReason.LEVERAGE:
                    raise ErrorReply(400, "-4028", f"Leverage {leverage} is not valid.") from refused
                raise
        return {"symbol": rules.symbol, "leverage": leverage, "maxNotionalValue": "100000000"}

    def _set_margin_type(self, call: Call) -> Any:
        rules = self._rules(call.params)
        try:
            mode = _MARGIN_TYPES[parameters.text(call.params, "marginType").upper()]
        except KeyError:
            raise errors.bad_value("marginType") from None
        if call.ignored:
            return _DONE
        try:
            self._engine.set_margin_mode(call.account, rules.symbol, mode)
        except Refused as refused:
            if refused.reason in _MARGIN_TYPE_REFUSALS:
                raise ErrorReply(400, *_MARGIN_TYPE_REFUSALS[refused.reason]) from refused
            raise
        return _DONE

    def _set_position_mode(self, call: Call) -> Any:
        parameters.text(call.params, "dualSidePosition")
        hedge = parameters.boolean(call.params, "dualSidePosition")
        if not call.ignored:
            self._engine.set_position_mode(call.account, PositionMode.HEDGE if hedge else PositionMode.ONE_WAY)
        return _DONE

    def _set_multi_assets(self, call: Call) -> Any:
        parameters.text(call.params, "multiAssetsMargin")
        if parameters.boolean(call.params, "multiAssetsMargin"):
            raise errors.of_reason(RefusalReason.UNSUPPORTED)
        return _DONE

    def _symbol_or_all(self, params: Params) -> str | None:
        return self._rules(params).symbol if params.get("symbol") else None

    def _rules(self, params: Params) -> SymbolSettings:
        return self._engine.symbol(parameters.text(params, "symbol").upper())


def _income_row(symbol: str, kind: str, amount: str, time_ms: int, trade_id: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "incomeType": kind,
        "income": amount,
        "asset": "USDT",
        "info": kind,
        "time": time_ms,
        "tranId": int(trade_id or 0) * 10 + (kind == "REALIZED_PNL") if trade_id else time_ms,
        "tradeId": trade_id,
    }
