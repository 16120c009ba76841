"""The simulator's own endpoints under `/_sim`: description, ledger, faults, clock, market, funding, symbols, keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Literal

import orjson
from aiohttp import web
from pydantic import Field, ValidationError

from opensqt.config.load import Section
from opensqt.model.order import Side
from opensqt.simulator.dialects import inputs
from opensqt.simulator.dialects.base import Dialect
from opensqt.simulator.engine.order import Refused, VenueClose
from opensqt.simulator.engine.state import UNLISTED
from opensqt.simulator.faults import FaultFile, FaultScript
from opensqt.simulator.keys import ApiKey
from opensqt.simulator.market.market import Market


class ClockRequest(Section):
    """`POST /_sim/clock`."""

    skew_ms: int | None = None
    advance_ms: int | None = Field(default=None, ge=0)
    release: bool = False
    """True starts a held market, and one that stands at `until_ms`."""
    until_ms: int | None = Field(default=None, ge=0)
    """Market time at which a clock that runs stands still from then on; the response comes when it is there."""
    speed: Decimal | None = Field(default=None, gt=0)
    """Market seconds in one real second, from now on."""


class MarketRequest(Section):
    """`POST /_sim/market`."""

    symbol: str
    side: Side | None = None
    quantity: Decimal | None = Field(default=None, gt=0)
    price: Decimal | None = Field(default=None, gt=0)
    pause: bool | None = None
    disturb: Literal["hole", "sweep", "flash"] | None = None
    """hole: a side of the book goes away; sweep: a large order takes a side; flash: book and trades leave the mark."""
    distance: Decimal | None = Field(default=None, gt=0)
    """Of a disturbance: share of the price."""
    for_ms: int = Field(default=0, ge=0)
    """Of a disturbance: market time after which it ends."""


class FundingRequest(Section):
    """`POST /_sim/funding`: pay funding on all positions now; with a rate, at this rate of the symbol from now on."""

    symbol: str = ""
    rate: Decimal | None = None


class SymbolRequest(Section):
    """`POST /_sim/symbols`: put a symbol into a state of the venue."""

    symbol: str
    state: str


class CloseRequest(Section):
    """`POST /_sim/close`: the venue closes what an account holds of a symbol, or a quantity of it, at market."""

    symbol: str
    why: Literal["liquidation", "adl", "settlement", "insurance"]
    account: str = ""
    """By its first key; the only account where there is one."""
    quantity: Decimal | None = Field(default=None, gt=0)
    """Base coins; all of it without one."""


class KeyRequest(Section):
    """`POST /_sim/keys`: add a key to an account."""

    account: str
    key: str
    secret: str = Field(repr=False)
    passphrase: str = Field(default="", repr=False)
    may_trade: bool = True
    may_withdraw: bool = False


class RevokeRequest(Section):
    """`DELETE /_sim/keys`."""

    key: str


class Control:
    """Handles the requests under `/_sim`.

    Args:
        dialect: Gives the venue's base URLs.
        market: The market to pause, resume and trade in.
        script: The fault script.
        ledger: Returns the ledger.
        advance: Steps a manual clock.
    """

    def __init__(
        self,
        dialect: Dialect,
        market: Market,
        script: FaultScript,
        *,
        ledger: Callable[[], Any],
        advance: Callable[[int], Awaitable[None]],
    ) -> None:
        self._dialect = dialect
        self._market = market
        self._script = script
        self._ledger = ledger
        self._advance = advance
        self._handlers: dict[tuple[str, str], Callable[[web.Request, bytes], Awaitable[Any]]] = {
            ("GET", "/_sim"): self._describe,
            ("GET", "/_sim/unsupported"): self._list_unsupported,
            ("GET", "/_sim/ledger"): self._write_ledger,
            ("GET", "/_sim/faults"): self._list_faults,
            ("POST", "/_sim/faults"): self._add_faults,
            ("DELETE", "/_sim/faults"): self._clear_faults,
            ("POST", "/_sim/clock"): self._set_clock,
            ("POST", "/_sim/market"): self._act,
            ("POST", "/_sim/funding"): self._pay_funding,
            ("POST", "/_sim/close"): self._close,
            ("POST", "/_sim/symbols"): self._set_symbol_state,
            ("GET", "/_sim/keys"): self._list_keys,
            ("POST", "/_sim/keys"): self._add_key,
            ("DELETE", "/_sim/keys"): self._revoke_key,
        }

    async def __call__(self, request: web.Request) -> web.Response:
        """Respond to one request."""
        body = await request.read()
        handler = self._handlers.get((request.method, request.path.rstrip("/")))
        if handler is None:
            known = ", ".join(f"{method} {path}" for method, path in self._handlers)
            return _json({"error": f"{request.method} {request.path}: not served; known are {known}"}, 404)
        try:
            return _json(await handler(request, body))
        except ValidationError as error:
            return _json({"error": _explain(error)}, 400)
        except (ValueError, Refused) as error:
            return _json({"error": str(error)}, 400)

    async def _describe(self, request: web.Request, _body: bytes) -> Any:
        clock = self._market.clock
        return {
            "exchange": self._dialect.name,
            "url": f"http://{request.host}",
            **self._dialect.addresses(request.host),
            "symbols": [rules.symbol for rules in self._market.engine.symbols()],
            "market_time_ms": self._market.engine.now_ms(),
            "server_time_ms": clock.server_ms(),
            "market_lag_ms": clock.lag_ms,
            "finished": self._market.finished,
        }

    async def _list_unsupported(self, _request: web.Request, _body: bytes) -> Any:
        ignored = dict(sorted(self._dialect.ignored_inputs.items()))
        return {"exchange": self._dialect.name, **inputs.not_simulated(self._dialect.inputs), "ignored": ignored}

    async def _write_ledger(self, _request: web.Request, _body: bytes) -> Any:
        return self._ledger()

    async def _list_faults(self, _request: web.Request, _body: bytes) -> Any:
        return {"faults": self._script.listing()}

    async def _add_faults(self, request: web.Request, body: bytes) -> Any:
        self._script.add(*FaultFile.model_validate(_object(body)).faults)
        return await self._list_faults(request, body)

    async def _clear_faults(self, request: web.Request, body: bytes) -> Any:
        self._script.clear()
        return await self._list_faults(request, body)

    async def _set_clock(self, _request: web.Request, body: bytes) -> Any:
        wanted = ClockRequest.model_validate(_object(body))
        clock = self._market.clock
        if wanted.skew_ms is not None:
            clock.skew_ms = wanted.skew_ms
        if wanted.release:
            clock.release()
        if wanted.speed is not None:
            clock.set_speed(wanted.speed)
        if wanted.advance_ms is not None:
            await self._advance(wanted.advance_ms)
        if wanted.until_ms is not None:
            await self._market.run_until(wanted.until_ms)
        return {"server_time_ms": clock.server_ms(), "market_time_ms": self._market.engine.now_ms()}

    async def _act(self, _request: web.Request, body: bytes) -> Any:
        wanted = MarketRequest.model_validate(_object(body))
        if wanted.pause is not None:
            (self._market.pause if wanted.pause else self._market.resume)(wanted.symbol)
            return {"symbol": wanted.symbol, "paused": wanted.pause}
        if wanted.disturb is not None:
            return self._disturb(wanted)
        if wanted.side is None or wanted.quantity is None:
            raise ValueError("side, quantity: expected both, or pause, or disturb")
        filled = self._market.send_outside_order(wanted.symbol, wanted.side, wanted.quantity, wanted.price)
        return {"symbol": wanted.symbol, "filled": format(filled, "f")}

    def _disturb(self, wanted: MarketRequest) -> Any:
        side, distance = wanted.side, wanted.distance
        if side is None or distance is None:
            raise ValueError("side, distance: expected both with disturb")
        response: dict[str, Any] = {"symbol": wanted.symbol, "disturb": wanted.disturb}
        if wanted.disturb == "sweep":
            filled = self._market.sweep(wanted.symbol, side, distance, wanted.for_ms)
            return response | {"filled": format(filled, "f")}
        if not wanted.for_ms:
            raise ValueError(f"for_ms 0: expected above zero with disturb {wanted.disturb}")
        begin = self._market.open_hole if wanted.disturb == "hole" else self._market.flash_move
        begin(wanted.symbol, side, distance, wanted.for_ms)
        return response

    async def _pay_funding(self, _request: web.Request, body: bytes) -> Any:
        wanted = FundingRequest.model_validate(_object(body))
        engine = self._market.engine
        if wanted.rate is not None:
            if not wanted.symbol:
                raise ValueError("symbol '': expected one, because a rate is given")
            engine.set_funding_rate(engine.symbol(wanted.symbol).symbol, wanted.rate)
        paid_before = {key: len(engine.funding_payments(key)) for key in engine.account_keys()}
        engine.pay_funding()
        return {key: len(engine.funding_payments(key)) - before for key, before in paid_before.items()}

    async def _close(self, _request: web.Request, body: bytes) -> Any:
        wanted, engine = CloseRequest.model_validate(_object(body)), self._market.engine
        why, known = VenueClose[wanted.why.upper()], self._dialect.closes
        if why not in known:
            names = ", ".join(one.name.lower() for one in VenueClose if one in known)
            raise ValueError(f"why {wanted.why}: {self._dialect.name} has no such trade; expected one of {names}")
        account = wanted.account or next(iter(engine.account_keys()))
        before = len(engine.fills(account, wanted.symbol))
        engine.close_position(account, wanted.symbol, why, wanted.quantity)
        return {
            "symbol": wanted.symbol,
            "account": account,
            "fills": len(engine.fills(account, wanted.symbol)) - before,
        }

    async def _set_symbol_state(self, _request: web.Request, body: bytes) -> Any:
        wanted = SymbolRequest.model_validate(_object(body))
        states = self._dialect.symbol_states
        if wanted.state not in (*states, UNLISTED):
            raise ValueError(f"state {wanted.state!r}: expected one of {', '.join((*states, UNLISTED))}")
        trades = wanted.state == states[0]
        self._market.engine.set_listing_state(wanted.symbol, "" if trades else wanted.state)
        return {"symbol": wanted.symbol, "state": wanted.state, "trades": trades}

    async def _list_keys(self, _request: web.Request, _body: bytes) -> Any:
        return {"keys": [{"key": key.key, "account": key.account} for key in self._dialect.world.keys.values()]}

    async def _add_key(self, request: web.Request, body: bytes) -> Any:
        wanted = KeyRequest.model_validate(_object(body))
        self._dialect.world.keys.add(ApiKey(**wanted.model_dump()))
        return await self._list_keys(request, body)

    async def _revoke_key(self, request: web.Request, body: bytes) -> Any:
        self._dialect.world.keys.revoke(RevokeRequest.model_validate(_object(body)).key)
        return await self._list_keys(request, body)


def _object(body: bytes) -> Any:
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise ValueError(f"body: expected JSON: {error}") from None


def _explain(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors(include_url=False)
    )


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")
