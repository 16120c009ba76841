"""OKX's account endpoints: balance, positions, leverage and modes, bills, fees, and permissions of a key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import Side
from opensqt.simulator.dialects.base import Call, Route, World
from opensqt.simulator.dialects.okx import errors, formats, order_fields, other_fields, parameters
from opensqt.simulator.dialects.okx.instruments import Instruments, divided, plain
from opensqt.simulator.dialects.okx.public import PublicData
from opensqt.simulator.dialects.okx.records import Bill, Records
from opensqt.simulator.engine.closed_positions import closed_positions
from opensqt.simulator.engine.events import BalanceView
from opensqt.simulator.engine.order import RefusalReason, Refused, SimFill
from opensqt.simulator.keys import ApiKey

_MODES = {"net_mode": PositionMode.ONE_WAY, "long_short_mode": PositionMode.HEDGE}
_MODE_NAMES = {mode: name for name, mode in _MODES.items()}
_ACCOUNT_LEVELS = {"spot": "1", "futures": "2", "multi_currency": "3", "portfolio": "4"}
_USER = "44705892343619584"


class AccountData:
    """Data of the account that signed the call. Limits are calls in two seconds."""

    def __init__(self, world: World, instruments: Instruments, records: Records, public: PublicData) -> None:
        self._engine = world.engine
        self._settings = world.settings
        self._instruments = instruments
        self._records = records
        self._public = public
        self._keys = world.keys
        self._deposited_ms = world.engine.now_ms()

    def routes(self) -> list[Route]:
        """Return the endpoints."""

        def get(path: str, operation: str, handler: Any, limit: int = 10) -> Route:
            return Route("GET", f"/api/v5/{path}", operation, handler, limit)

        return [
            get("account/balance", "account", self._balance),
            get("account/positions", "positions", self._positions),
            get("account/config", "settings", self._config, 5),
            get("account/leverage-info", "settings", self._leverage, 20),
            get("account/positions-history", "positions", self._closed_positions, 10),
            get("account/max-size", "account", self._most_size, 20),
            get("account/max-avail-size", "account", self._most_available, 20),
            get("account/max-withdrawal", "account", self._most_withdrawn, 20),
            get("account/trade-fee", "settings", self._fees, 5),
            get("account/instruments", "market_data", self._public.list_instruments, 20),
            get("account/bills", "fills", self._bills, 5),
            get("account/bills-archive", "fills", self._bills, 5),
            get("asset/currencies", "market_data", self._currencies, 12),
            get("asset/balances", "account", lambda _call: [], 12),
            Route("POST", "/api/v5/account/set-leverage", "settings", self._set_leverage, 40),
            Route("POST", "/api/v5/account/set-position-mode", "settings", self._set_position_mode, 5),
        ]

    def balance(self, account: str) -> dict[str, Any]:
        """Write an account's balance, as the endpoint and the account channel do."""
        found = self._engine.balance(account)
        return self.write_balance(account, found, found.updated_ms or self._deposited_ms)

    def write_balance(self, account: str, balance: BalanceView, updated_ms: int) -> dict[str, Any]:
        """Write the balance of an event in the account's mode."""
        write = formats.balance if self._engine.account_mode(account) == "futures" else formats.shared_balance
        return write(balance, updated_ms)

    def held(self, account: str, inst_id: str = "") -> list[dict[str, Any]]:
        """Return the positions that are not flat; with an instrument also its flat position if it was held before."""
        symbol = self._instruments.get(inst_id).symbol if inst_id else None
        return [
            formats.position(each, self._instruments.by_symbol[each.symbol], self._engine.now_ms())
            for each in self._engine.positions(account, symbol)
            if each.quantity or (inst_id and each.updated_ms)
        ]

    def _balance(self, call: Call) -> Any:
        row = self.balance(call.account)
        wanted = set(filter(None, call.params.get("ccy", "").split(",")))
        row["details"] = [detail for detail in row["details"] if not wanted or detail["ccy"] in wanted]
        return [row]

    def _positions(self, call: Call) -> Any:
        if not self._instruments.check_type(call.params.get("instType", "")):
            return []
        names = call.params.get("instId", "")
        ids = set(filter(None, call.params.get("posId", "").split(",")))
        rows = [row for name in names.split(",") for row in self.held(call.account, name)]
        return [row for row in rows if not ids or row["posId"] in ids]

    def _closed_positions(self, call: Call) -> Any:
        """Return positions that were closed, those that closed last first.

        https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-positions-history
        """
        params = call.params
        if not self._instruments.check_type(params.get("instType", "")):
            return []
        wanted = {name: params.get(name, "") for name in ("instId", "mgnMode", "type", "posId")}
        found = closed_positions(self._engine.fills(call.account), self._engine.funding_payments(call.account))
        rows = [
            formats.closed_position(
                each, self._instruments.by_symbol[each.symbol], self._engine.leverage(call.account, each.symbol)
            )
            for each in sorted(found, key=lambda each: each.updated_ms, reverse=True)
        ]
        rows = [row for row in rows if all(given in ("", row[name]) for name, given in wanted.items())]
        return parameters.page(rows, [int(row["uTime"]) for row in rows], params)

    def _most_size(self, call: Call) -> Any:
        order_fields.check_mode(call.params)
        price = parameters.decimal(call.params, "px") if call.params.get("px") else None
        leverage = parameters.integer(call.params, "leverage")
        rows = []
        for swap in self._instruments.some(parameters.required(call.params, "instId")):
            buy, sell = (
                swap.contracts(self._engine.most_quantity(call.account, swap.symbol, side, price, leverage))
                for side in (Side.BUY, Side.SELL)
            )
            rows.append({"instId": swap.inst_id, "ccy": swap.rules.quote_asset, "maxBuy": buy, "maxSell": sell})
        return rows

    def _most_available(self, call: Call) -> Any:
        """Return the balance for new orders, or what is left to close, in contracts."""
        order_fields.check_mode(call.params)
        rows = []
        for swap in self._instruments.some(parameters.required(call.params, "instId")):
            free = divided(self._engine.balance(call.account).available_balance)
            buy = sell = free
            if parameters.boolean(call.params, "reduceOnly"):
                held = [view.quantity for view in self._engine.positions(call.account, swap.symbol)]
                sell = swap.contracts(sum((one for one in held if one > 0), Decimal(0)))
                buy = swap.contracts(-sum((one for one in held if one < 0), Decimal(0)))
            rows.append({"instId": swap.inst_id, "availBuy": buy, "availSell": sell})
        return rows

    def _most_withdrawn(self, call: Call) -> Any:
        balance = self._engine.balance(call.account)
        if balance.asset not in call.params.get("ccy", balance.asset).split(","):
            return []
        most = divided(balance.available_balance)
        names = ("maxWd", "maxWdEx", "spotOffsetMaxWd", "spotOffsetMaxWdEx")
        return [{"ccy": balance.asset, **dict.fromkeys(names, most)}]

    def _config(self, call: Call) -> Any:
        return [
            {
                "uid": _USER,
                "mainUid": _USER,
                "acctLv": _ACCOUNT_LEVELS[self._engine.account_mode(call.account)],
                "posMode": _MODE_NAMES[self._engine.position_mode(call.account)],
                "autoLoan": False,
                "greeksType": "PA",
                "level": "Lv1",
                "levelTmp": "",
                "ctIsoMode": "automatic",
                "mgnIsoMode": "automatic",
                "label": "simulated",
                "ip": "",
                "perm": _rights(self._keys[call.key]),
                "kycLv": "3",
                "roleType": "0",
                "acctStpMode": "cancel_maker",
                "type": "0",
                **other_fields.CONFIG,
            }
        ]

    def _leverage(self, call: Call) -> Any:
        if parameters.required(call.params, "mgnMode") not in ("cross", "isolated"):
            raise errors.bad("mgnMode")
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        return [
            {
                "instId": swap.inst_id,
                "ccy": "",
                "mgnMode": call.params["mgnMode"],
                "posSide": side,
                "lever": str(self._engine.leverage(call.account, swap.symbol)),
            }
            for swap in self._instruments.some(parameters.required(call.params, "instId"))
            for side in (("long", "short") if hedge else ("net",))
        ]

    def _set_leverage(self, call: Call) -> Any:
        row = parameters.body(call)
        swap = self._instruments.get(parameters.text(row, "instId"))
        mode = parameters.required(row, "mgnMode")
        if mode == "isolated":
            raise errors.of_reason(RefusalReason.UNSUPPORTED)
        if mode != "cross":
            raise errors.bad("mgnMode")
        leverage = parameters.decimal(row, "lever")
        if leverage != int(leverage):
            raise errors.bad("lever")
        if not call.ignored:
            self._engine.set_leverage(call.account, swap.symbol, int(leverage))
        side = parameters.text(row, "posSide")
        return [{"instId": swap.inst_id, "lever": plain(leverage), "mgnMode": mode, "posSide": side}]

    def _set_position_mode(self, call: Call) -> Any:
        mode = parameters.choice(parameters.body(call), "posMode", _MODES)
        if not call.ignored:
            try:
                self._engine.set_position_mode(call.account, mode)
            except Refused as refused:
                # A request for the current mode is not an error here.
                if refused.reason is not RefusalReason.NO_CHANGE:
                    raise
        return [{"posMode": _MODE_NAMES[mode]}]

    def _fees(self, call: Call) -> Any:
        if not self._instruments.check_type(parameters.required(call.params, "instType")):
            return []
        family = call.params.get("instFamily") or call.params.get("uly", "")
        if not self._instruments.family(family):
            raise errors.unknown_instrument()
        maker, taker = plain(-self._settings.maker_fee), plain(-self._settings.taker_fee)
        empty = dict.fromkeys(("maker", "taker", "delivery", "exercise", "makerUSDC", "takerUSDC"), "")
        rates = {"makerU": maker, "takerU": taker, "level": "Lv1", "category": "1", "instType": "SWAP"}
        return [{**empty, **rates, "fiat": [], "ruleType": "normal", "ts": str(self._engine.clock.server_ms())}]

    def _currencies(self, call: Call) -> Any:
        wanted = set(filter(None, call.params.get("ccy", "").split(",")))
        assets = {rules.quote_asset: None for rules in self._engine.symbols()}
        return [
            {
                "ccy": asset,
                "chain": f"{asset}-Simulated",
                "name": asset,
                "canDep": False,
                "canWd": False,
                "canInternal": False,
                "minWd": "1",
                "maxWd": "0",
                "minFee": "0",
                "maxFee": "0",
                "minDep": "0",
                "wdTickSz": "8",
                "mainNet": True,
                "needTag": False,
            }
            for asset in assets
            if not wanted or asset in wanted
        ]

    def _bills(self, call: Call) -> Any:
        if not self._instruments.check_type(call.params.get("instType", "")):
            return []
        wanted = {name: call.params.get(name, "") for name in ("type", "subType", "instId", "ccy", "mgnMode")}
        if call.params.get("ctType", "") not in ("", "linear"):
            return []
        begin, end = parameters.integer(call.params, "begin"), parameters.integer(call.params, "end")
        found = [
            bill
            for bill in self._records.bills(call.account)
            if (begin is None or bill.cause.time_ms >= begin) and (end is None or bill.cause.time_ms <= end)
        ]
        rows = [(bill.bill_id, self._bill(bill)) for bill in found]
        rows = [(key, row) for key, row in rows if all(given in ("", row[name]) for name, given in wanted.items())]
        return [row for _, row in parameters.page(rows, [key for key, _ in rows], call.params)]

    def _bill(self, bill: Bill) -> dict[str, Any]:
        cause = bill.cause
        swap = self._instruments.by_symbol[cause.symbol]
        row = {
            **other_fields.BILL,
            "billId": str(bill.bill_id),
            "instType": "SWAP",
            "instId": swap.inst_id,
            "ccy": swap.rules.quote_asset,
            "mgnMode": "cross",
            "bal": plain(bill.balance),
            "balChg": plain(bill.change),
            "posBal": "0",
            "posBalChg": "0",
            "ts": str(cause.time_ms),
        }
        if isinstance(cause, SimFill):
            return row | {
                "type": "2",
                "subType": "1" if cause.side.sign > 0 else "2",
                "sz": swap.contracts(cause.quantity),
                "px": swap.price(cause.price),
                "pnl": plain(cause.realized_pnl),
                "fee": plain(-cause.fee),
                "ordId": cause.order_id,
                "clOrdId": formats.client_id(cause),
                "tradeId": cause.trade_id,
                "execType": "M" if cause.is_maker else "T",
            }
        return row | {
            "type": "8",
            "subType": "174" if cause.amount > 0 else "173",
            "sz": swap.contracts(abs(cause.quantity)),
            "px": plain(cause.mark_price),
            "pnl": plain(cause.amount),
            "fee": "0",
            "ordId": "",
            "clOrdId": "",
            "tradeId": "",
            "execType": "",
        }


def _rights(account: ApiKey) -> str:
    """Return the permissions of a key."""
    rights = {"read_only": True, "trade": account.may_trade, "withdraw": account.may_withdraw}
    return ",".join(name for name, given in rights.items() if given)
