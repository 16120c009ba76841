"""Bybit's account endpoints: wallet, positions, leverage and modes, money movements, and permissions of a key."""

from __future__ import annotations

from typing import Any

from opensqt.model.account import MarginMode, PositionMode
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, ErrorReply, Params, Route, World
from opensqt.simulator.dialects.bybit import errors, formats, other_fields, parameters
from opensqt.simulator.dialects.bybit.conditional_formats import stops
from opensqt.simulator.dialects.bybit.disconnect_protection import DisconnectProtection
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.events import PositionView
from opensqt.simulator.engine.order import RefusalReason, Refused, SimFill, venue_close
from opensqt.simulator.settings import SymbolSettings

_MODES = {"0": PositionMode.ONE_WAY, "3": PositionMode.HEDGE}
_MARGIN_MODES = {name: name for name in ("REGULAR_MARGIN", "ISOLATED_MARGIN", "PORTFOLIO_MARGIN")}
_SETTLE_COIN = "USDT"
_UNIFIED_STATUS = {"classic": 1, "unified_1": 3, "unified_2": 6}


class AccountData:
    """Data of the account that signed the call."""

    def __init__(self, world: World, protection: DisconnectProtection) -> None:
        self._engine = world.engine
        self._settings = world.settings
        self._keys = world.keys
        self._protection = protection

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("GET", "/v5/account/wallet-balance", "account", self._wallet),
            Route("GET", "/v5/account/info", "settings", self._info),
            Route("GET", "/v5/account/fee-rate", "settings", self._fee_rate),
            Route("GET", "/v5/account/transaction-log", "fills", self._log),
            Route("GET", "/v5/user/query-api", "account", self._key),
            Route("GET", "/v5/asset/coin/query-info", "market_data", self._coins),
            Route("GET", "/v5/position/list", "positions", self._positions),
            Route("POST", "/v5/account/set-margin-mode", "settings", self._set_margin_mode),
            Route("POST", "/v5/position/set-leverage", "settings", self._set_leverage),
            Route("POST", "/v5/position/switch-mode", "settings", self._switch_mode),
            Route("POST", "/v5/position/switch-isolated", "settings", self._switch_isolated),
        ]

    def _wallet(self, call: Call) -> Any:
        known = ("CONTRACT", "SPOT") if self._engine.account_mode(call.account) == "classic" else ("UNIFIED",)
        if parameters.text(call.params, "accountType") not in known:
            raise errors.parameter(f"accountType only support {' and '.join(known)}.")
        wanted = call.params.get("coin", _SETTLE_COIN).split(",")
        row = formats.wallet(self._engine.balance(call.account))
        return {"list": [row | {"coin": [coin for coin in row["coin"] if coin["coin"] in wanted]}]}

    def _info(self, call: Call) -> Any:
        # The account has one mode for all symbols.
        mode = self._engine.margin_mode(call.account, self._engine.symbols()[0].symbol)
        return {
            "marginMode": "ISOLATED_MARGIN" if mode is MarginMode.ISOLATED else "REGULAR_MARGIN",
            "updatedTime": str(self._engine.now_ms()),
            "unifiedMarginStatus": _UNIFIED_STATUS[self._engine.account_mode(call.account)],
            **self._protection.status(call.account),
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }

    def _fee_rate(self, call: Call) -> Any:
        parameters.need_linear(call.params)
        maker, taker = decimals.exact(self._settings.maker_fee), decimals.exact(self._settings.taker_fee)
        symbol = call.params.get("symbol")
        found = [self._engine.symbol(symbol)] if symbol else self._engine.symbols()
        return {"list": [{"symbol": each.symbol, "takerFeeRate": taker, "makerFeeRate": maker} for each in found]}

    def _key(self, call: Call) -> Any:
        account = self._keys[call.key]
        none = ("Options", "Derivatives", "CopyTrading", "BlockTrade", "Exchange", "NFT", "Affiliate", "Earn")
        return {
            "id": "1",
            "note": "simulated",
            "apiKey": call.key,
            "readOnly": 0 if account.may_trade else 1,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"] if account.may_trade else [],
                "Spot": [],
                "Wallet": ["AccountTransfer", "Withdraw"] if account.may_withdraw else [],
                **{name: [] for name in none},
            },
            "ips": ["*"],
            "type": 1,
            "deadlineDay": -2,
            "expiredAt": "1970-01-01T00:00:00Z",
            "createdAt": "2022-01-01T00:00:00Z",
            "unified": 0,
            "uta": 0 if self._engine.account_mode(call.account) == "classic" else 1,
            "userID": 1,
            "inviterID": 0,
            **other_fields.KEY,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
        }

    def _coins(self, call: Call) -> Any:
        """Return the coins and the chains on which they could be moved, which is what a client reads precision from."""
        assets = {each for rules in self._engine.symbols() for each in (rules.base_asset, rules.quote_asset)}
        wanted = call.params.get("coin", "")
        return {"rows": [_coin(asset) for asset in sorted(assets) if wanted in ("", asset)]}

    def _positions(self, call: Call) -> Any:
        params = call.params
        if not parameters.is_linear(params):
            return {"category": params["category"], "list": [], "nextPageCursor": ""}
        symbol = self._rules(params).symbol if params.get("symbol") else None
        if symbol is None and params.get("settleCoin") != _SETTLE_COIN:
            raise errors.parameter("Missing some parameters that must be filled in, symbol or settleCoin")
        rows = [
            write_position(self._engine, call.account, each)
            for each in self._engine.positions(call.account, symbol)
            if symbol is not None or each.quantity
        ]
        start = parameters.integer(params, "cursor") or 0
        end = start + parameters.limit(params, default=20, most=200)
        return {"category": "linear", "list": rows[start:end], "nextPageCursor": str(end) if end < len(rows) else ""}

    def _set_leverage(self, call: Call) -> Any:
        parameters.need_linear(call.params)
        rules = self._rules(call.params)
        buy, sell = (parameters.decimal(call.params, name) for name in ("buyLeverage", "sellLeverage"))
        if buy != sell:
            raise errors.parameter("buy leverage invalid: buyLeverage and sellLeverage must be equal")
        if buy != int(buy):
            raise errors.parameter("leverage invalid: only whole numbers are simulated")
        if self._engine.leverage(call.account, rules.symbol) == int(buy):
            raise ErrorReply(200, "110043", "leverage not modified")
        if not call.ignored:
            self._engine.set_leverage(call.account, rules.symbol, int(buy))
        return {}

    def _switch_mode(self, call: Call) -> Any:
        parameters.need_linear(call.params)
        mode = parameters.choice(call.params, "mode", _MODES)
        if call.params.get("symbol"):
            self._rules(call.params)
        elif call.params.get("coin") != _SETTLE_COIN:
            raise errors.parameter("params error: symbol or coin is required")
        if not call.ignored:
            self._engine.set_position_mode(call.account, mode)
        return {}

    def _set_margin_mode(self, call: Call) -> Any:
        name = parameters.choice(call.params, "setMarginMode", _MARGIN_MODES)
        if name == "PORTFOLIO_MARGIN":
            raise _margin_mode_refused("3400000", "Equity needs to be equal to or greater than 1000 USDC")
        mode = MarginMode.ISOLATED if name == "ISOLATED_MARGIN" else MarginMode.CROSS
        if not call.ignored:
            try:
                self._engine.set_margin_mode(call.account, None, mode)
            except Refused as refused:
                if refused.reason is not RefusalReason.NO_CHANGE:
                    raise _margin_mode_refused("3400046", "You have existing positions or open orders") from refused
        return {"reasons": []}

    def _switch_isolated(self, _call: Call) -> Any:
        raise ErrorReply(200, "100028", "The API cannot be accessed by unified account users.")

    def _log(self, call: Call) -> Any:
        unified = self._engine.account_mode(call.account) != "classic"
        if call.params.get("accountType", "UNIFIED") != ("UNIFIED" if unified else "CONTRACT"):
            raise errors.parameter("params error: accountType invalid")
        category, coin = call.params.get("category", ""), call.params.get("baseCoin", "")
        if category not in ("", formats.CATEGORY) or call.params.get("currency", "") not in ("", _SETTLE_COIN):
            return page([], call.params, default=20, most=50)
        rows = [
            {**_movement(fill.symbol, _trade_type(fill), fill.time_ms, fill.realized_pnl, fill.fee), **_of_trade(fill)}
            for fill in self._engine.fills(call.account)
        ]
        for paid in self._engine.funding_payments(call.account):
            amount = decimals.exact(paid.amount)
            funding = {
                "funding": amount,
                "change": amount,
                "id": f"{paid.symbol}-F{paid.payment_id}",
                "side": "Buy" if paid.quantity > 0 else "Sell",
                "size": decimals.exact(paid.quantity),
                "qty": decimals.exact(abs(paid.quantity)),
                "feeRate": decimals.exact(paid.rate),
                "tradePrice": decimals.exact(paid.mark_price),
            }
            movement = _movement(paid.symbol, "SETTLEMENT", paid.time_ms, decimals.ZERO, decimals.ZERO)
            rows.append({**movement, **funding})
        start, end = parameters.integer(call.params, "startTime"), parameters.integer(call.params, "endTime")
        wanted = call.params.get("type", "")
        rows = [
            row
            for row in sorted(rows, key=lambda row: int(row["transactionTime"]))
            if (not wanted or row["type"] == wanted)
            and coin in ("", self._engine.symbol(row["symbol"]).base_asset)
            and (start is None or int(row["transactionTime"]) >= start)
            and (end is None or int(row["transactionTime"]) <= end)
        ]
        return page(rows, call.params, default=20, most=50)

    def _rules(self, params: Params) -> SymbolSettings:
        return self._engine.symbol(parameters.text(params, "symbol"))


def page(rows: list[dict[str, Any]], params: Params, *, default: int, most: int) -> dict[str, Any]:
    """Return one page of rows, newest first, from rows that are oldest first; the cursor counts from the oldest."""
    end = parameters.integer(params, "cursor")
    end = len(rows) if end is None else min(end, len(rows))
    start = max(0, end - parameters.limit(params, default=default, most=most))
    category = params.get("category", formats.CATEGORY)
    return {"category": category, "list": rows[start:end][::-1], "nextPageCursor": str(start) if start else ""}


def write_position(engine: SimEngine, account: str, position: PositionView) -> dict[str, Any]:
    """Write a position with its take-profit, stop-loss and trailing stop."""
    rules = engine.symbol(position.symbol)
    return formats.position(
        position, rules, stops(engine.conditional.waiting(account, position.symbol), position, rules)
    )


def _margin_mode_refused(code: str, text: str) -> ErrorReply:
    return ErrorReply(200, "3400045", f"Set margin mode failed: {code} {text}")


def _coin(asset: str) -> dict[str, Any]:
    chain = {
        **dict.fromkeys(("confirmation", "withdrawFee", "depositMin", "withdrawMin", "withdrawPercentageFee"), "0"),
        **dict.fromkeys(("chainDeposit", "chainWithdraw"), "0"),
        "chain": "SIM",
        "chainType": "Simulated",
        "minAccuracy": "8",
        "contractAddress": "",
        "safeConfirmNumber": "0",
        "withdrawMax": "0",
    }
    return {"name": asset, "coin": asset, "remainAmount": "0", "chains": [chain]}


def _movement(symbol: str, kind: str, time_ms: int, flow: Any, fee: Any) -> dict[str, Any]:
    return {
        **other_fields.MOVEMENT,
        "symbol": symbol,
        "category": formats.CATEGORY,
        "side": "None",
        "transactionTime": str(time_ms),
        "type": kind,
        "currency": _SETTLE_COIN,
        "cashFlow": decimals.exact(flow),
        "fee": decimals.exact(fee),
        "funding": "",
        "change": decimals.exact(flow - fee),
        "orderId": "",
        "orderLinkId": "",
        "tradeId": "",
    }


def _trade_type(fill: SimFill) -> str:
    why = venue_close(fill)
    return "TRADE" if why is None else why.name


def _of_trade(fill: Any) -> dict[str, Any]:
    return {
        "id": f"{fill.symbol}-{fill.trade_id}",
        "side": formats.SIDE[fill.side],
        "orderId": fill.order_id,
        "tradeId": fill.trade_id,
        "qty": decimals.exact(fill.quantity),
        "tradePrice": decimals.exact(fill.price),
    }
