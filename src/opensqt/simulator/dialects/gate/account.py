"""Gate's account endpoints: balance, positions, leverage and modes, the account book, and permissions of a key."""

from __future__ import annotations

from typing import Any

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import PositionSide
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, ErrorReply, Route, World
from opensqt.simulator.dialects.gate import errors, formats, parameters, unified
from opensqt.simulator.dialects.gate.contracts import Contracts
from opensqt.simulator.dialects.gate.security import Security
from opensqt.simulator.engine.closed_positions import closed_positions
from opensqt.simulator.engine.events import PositionView
from opensqt.simulator.engine.order import RefusalReason
from opensqt.simulator.settings import SymbolSettings

_ROOT = "/api/v4/futures/usdt"
_MODES = {"single": PositionMode.ONE_WAY, "dual": PositionMode.HEDGE}
_MARGIN_MODES = {"CROSS": MarginMode.CROSS, "ISOLATED": MarginMode.ISOLATED}
_PERMISSIONS = ("futures", "account", "wallet")


class AccountData:
    """Data of the account that signed the call."""

    def __init__(self, world: World, contracts: Contracts, security: Security) -> None:
        self._engine = world.engine
        self._settings = world.settings
        self._ring = world.keys
        self._contracts = contracts
        self._security = security

    def routes(self) -> list[Route]:
        """Return the endpoints."""

        def get(path: str, operation: str, handler: Any) -> Route:
            return Route("GET", path, operation, handler)

        def post(path: str, handler: Any) -> Route:
            return Route("POST", f"{_ROOT}/{path}", "settings", handler)

        return [
            get(f"{_ROOT}/accounts", "account", self._account),
            get(f"{_ROOT}/account_book", "fills", self._account_book),
            get(f"{_ROOT}/positions", "positions", self._positions),
            get(f"{_ROOT}/position_close", "positions", self._closed_positions),
            get(f"{_ROOT}/positions/{{contract}}", "positions", self._single_position),
            get(f"{_ROOT}/dual_comp/positions/{{contract}}", "positions", self._dual_positions),
            get(f"{_ROOT}/get_leverage/{{contract}}", "settings", self._leverage),
            get(f"{_ROOT}/fee", "settings", self._fee),
            get("/api/v4/wallet/fee", "settings", self._wallet_fee),
            get("/api/v4/account/detail", "account", self._detail),
            get("/api/v4/unified/accounts", "account", self._unified_account),
            get("/api/v4/account/main_keys", "account", self._keys),
            post("positions/{contract}/leverage", self._set_leverage),
            post("dual_comp/positions/{contract}/leverage", self._set_dual_leverage),
            post("positions/cross_mode", self._set_margin_mode),
            post("dual_comp/positions/cross_mode", self._set_margin_mode),
            post("dual_mode", self._set_dual_mode),
            post("set_position_mode", self._set_position_mode),
        ]

    def _account(self, call: Call) -> Any:
        row = formats.account(
            self._engine.balance(call.account),
            self._security.user(call.account),
            self._engine.position_mode(call.account),
        )
        return unified.futures_account(row, self._engine.account_mode(call.account))

    def _unified_account(self, call: Call) -> Any:
        mode, currency = self._engine.account_mode(call.account), call.params.get("currency", "").upper()
        if mode == unified.CLASSIC:
            raise ErrorReply(400, "USER_NOT_UNIFIED", "the user has no unified account")
        balance, user = self._engine.balance(call.account), self._security.user(call.account)
        row = unified.account(balance, user, mode, self._engine.clock.server_ms())
        row["balances"] = {name: held for name, held in row["balances"].items() if currency in ("", name)}
        return row

    def _account_book(self, call: Call) -> Any:
        symbol = self._contracts.requested_or_all(call.params)
        wanted = call.params.get("type", "")
        start, end = parameters.seconds(call.params, "from"), parameters.seconds(call.params, "to")
        rows = []
        for fill in self._engine.fills(call.account):
            rows.append((fill.time_ms, fill.symbol, "fee", -fill.fee, fill.trade_id))
            if fill.realized_pnl:
                rows.append((fill.time_ms, fill.symbol, "pnl", fill.realized_pnl, fill.trade_id))
        paid = self._engine.funding_payments(call.account)
        ids = {number: str(each.payment_id) for number, each in enumerate(paid, len(rows))}
        rows += [(each.time_ms, each.symbol, "fund", each.amount, "") for each in paid]
        numbered = sorted(enumerate(rows), key=lambda row: row[1][0])
        balance = next(each.balance for each in self._settings.accounts if each.key == call.account)
        booked = []
        for number, (time_ms, name, kind, change, trade_id) in numbered:
            balance += change
            in_time = (start is None or time_ms >= start) and (end is None or time_ms < end + 1000)
            if wanted not in ("", kind) or symbol not in (None, name) or not in_time:
                continue
            contract = formats.contract(self._engine.symbol(name))
            booked.append(
                {
                    "time": formats.seconds(time_ms),
                    "change": decimals.exact(change),
                    "balance": decimals.exact(balance),
                    "type": kind,
                    "text": f"{contract}:{trade_id}" if trade_id else contract,
                    "contract": contract,
                    "trade_id": trade_id,
                    "id": ids.get(number) or f"{kind}{trade_id}",
                }
            )
        return parameters.page(booked[::-1], call.params)

    def _positions(self, call: Call) -> Any:
        holding = parameters.boolean(call.params, "holding")
        found = [view for view in self._engine.positions(call.account) if view.quantity or not holding]
        return parameters.page([self._write(call, view) for view in found], call.params)

    def _closed_positions(self, call: Call) -> Any:
        """Return positions that were closed, those that closed last first."""
        params, symbol = call.params, self._contracts.requested_or_all(call.params)
        start, end = parameters.seconds(params, "from"), parameters.seconds(params, "to")
        side, result = params.get("side", ""), params.get("pnl", "")
        if side not in ("", "long", "short") or result not in ("", "profit", "loss"):
            raise errors.bad_value("side" if result in ("", "profit", "loss") else "pnl")
        found = closed_positions(
            self._engine.fills(call.account, symbol), self._engine.funding_payments(call.account, symbol)
        )
        sizes = self._contracts.sizes(call.headers)
        rows = [
            formats.closed_position(each, self._engine.symbol(each.symbol), sizes)
            for each in sorted(found, key=lambda each: each.updated_ms, reverse=True)
            if each.ended
            and side in ("", "long" if each.long else "short")
            and result in ("", "profit" if each.net_pnl > 0 else "loss")
            and (start is None or each.updated_ms >= start)
            and (end is None or each.updated_ms < end + 1000)
        ]
        return parameters.page(rows, params)

    def _single_position(self, call: Call) -> Any:
        rules = self._contracts.requested(call.params)
        self._need(call, PositionMode.ONE_WAY)
        return self._of(call, rules)[0]

    def _dual_positions(self, call: Call) -> Any:
        rules = self._contracts.requested(call.params)
        self._need(call, PositionMode.HEDGE)
        return self._of(call, rules)

    def _leverage(self, call: Call) -> Any:
        rules = self._contracts.requested(call.params)
        return {"lever": str(self._engine.leverage(call.account, rules.symbol))}

    def _fee(self, call: Call) -> Any:
        symbol = self._contracts.requested_or_all(call.params)
        rates = {
            "taker_fee": decimals.exact(self._settings.taker_fee),
            "maker_fee": decimals.exact(self._settings.maker_fee),
        }
        names = self._contracts.by_name.items()
        return {name: rates for name, rules in names if symbol in (None, rules.symbol)}

    def _wallet_fee(self, call: Call) -> Any:
        taker, maker = decimals.exact(self._settings.taker_fee), decimals.exact(self._settings.maker_fee)
        return {
            "user_id": self._security.user(call.account),
            "taker_fee": "0.002",
            "maker_fee": "0.002",
            "gt_discount": False,
            "gt_taker_fee": "0",
            "gt_maker_fee": "0",
            "loan_fee": "0.18",
            "point_type": "0",
            "futures_taker_fee": taker,
            "futures_maker_fee": maker,
        }

    def _detail(self, call: Call) -> Any:
        return {
            "user_id": self._security.user(call.account),
            "ip_whitelist": [],
            "currency_pairs": [],
            "key": {"mode": 1 if self._engine.account_mode(call.account) == unified.CLASSIC else 2},
            "tier": 0,
            "copy_trading_role": 0,
        }

    def _keys(self, call: Call) -> Any:
        account = self._ring[call.key]
        writes = {"futures": account.may_trade, "wallet": account.may_withdraw}
        perms = [{"name": name, "read_only": not writes.get(name, False)} for name in _PERMISSIONS]
        user = self._security.user(call.account)
        key = {"state": 1, "mode": 1, "name": ["simulated"], "user_id": user, "perms": perms}
        return key | {"currency_pairs": [], "ip_whitelist": [], "key": {"mode": 1}}

    def _set_leverage(self, call: Call) -> Any:
        self._need(call, PositionMode.ONE_WAY)
        return self._lever(call)[0]

    def _set_dual_leverage(self, call: Call) -> Any:
        self._need(call, PositionMode.HEDGE)
        return self._lever(call)

    def _lever(self, call: Call) -> list[dict[str, Any]]:
        rules = self._contracts.requested(call.params)
        # A leverage above zero requests isolated margin, and zero cross margin, with a limit of its own.
        isolated = parameters.decimal(call.params, "leverage")
        limit = int(isolated) or parameters.integer(call.params, "cross_leverage_limit", 0)
        if limit < 1:
            raise ErrorReply(400, "LEVERAGE_TOO_LOW", "leverage is too low")
        mode = MarginMode.ISOLATED if isolated else MarginMode.CROSS
        if not call.ignored:
            if self._engine.margin_mode(call.account, rules.symbol) is not mode:
                self._engine.set_margin_mode(call.account, rules.symbol, mode)
            self._engine.set_leverage(call.account, rules.symbol, limit)
        return self._of(call, rules)

    def _set_margin_mode(self, call: Call) -> Any:
        body = parameters.json_object(call.body)
        rules = self._contracts.requested(body)
        mode = _MARGIN_MODES.get(parameters.text(body, "mode").upper())
        if mode is None:
            raise errors.bad_value("mode")
        if not call.ignored and self._engine.margin_mode(call.account, rules.symbol) is not mode:
            self._engine.set_margin_mode(call.account, rules.symbol, mode)
        found = self._of(call, rules)
        return found[0] if len(found) == 1 else found

    def _set_dual_mode(self, call: Call) -> Any:
        parameters.text(call.params, "dual_mode")
        hedge = parameters.boolean(call.params, "dual_mode")
        return self._switch(call, PositionMode.HEDGE if hedge else PositionMode.ONE_WAY)

    def _set_position_mode(self, call: Call) -> Any:
        mode = _MODES.get(parameters.text(call.params, "position_mode"))
        if mode is None:
            raise errors.bad_value("position_mode")
        return self._switch(call, mode)

    def _switch(self, call: Call, mode: PositionMode) -> Any:
        if not call.ignored:
            self._engine.set_position_mode(call.account, mode)
        return self._account(call)

    def _need(self, call: Call, mode: PositionMode) -> None:
        """Refuse an endpoint that belongs to the other position mode."""
        if self._engine.position_mode(call.account) is not mode:
            if mode is PositionMode.ONE_WAY:
                raise errors.of_reason(RefusalReason.POSITION_SIDE_MISMATCH)
            raise errors.bad_value("not in dual mode")

    def _of(self, call: Call, rules: SymbolSettings) -> list[dict[str, Any]]:
        return [self._write(call, view) for view in self._engine.positions(call.account, rules.symbol)]

    def _write(self, call: Call, view: PositionView) -> dict[str, Any]:
        rules = self._engine.symbol(view.symbol)
        pending = sum(
            view.position_side in (PositionSide.BOTH, order.position_side)
            for order in self._engine.open_orders(call.account, view.symbol)
        )
        user = self._security.user(call.account)
        return formats.position(view, rules, user, pending, self._contracts.sizes(call.headers))
