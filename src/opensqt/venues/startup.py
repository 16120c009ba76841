"""The start of an adapter: measures the clock, verifies the credentials, loads the rules and sets the modes."""

from __future__ import annotations

from decimal import Decimal

from opensqt.model.account import PositionMode
from opensqt.model.errors import (
    CredentialsRefused,
    InvalidRequest,
    PermissionDenied,
    PositionModeMismatch,
    UnknownSymbol,
    UnsupportedAccount,
)
from opensqt.telemetry.logging import get_logger
from opensqt.venues.health import Health
from opensqt.venues.transport.retry import retry_start_step
from opensqt.venues.venue import Venue

_log = get_logger("venue")


class Startup:
    """The steps that must succeed before an adapter serves.

    Args:
        venue: Sends the requests.
        health: Receives the check `credentials`.
    """

    def __init__(self, venue: Venue, health: Health) -> None:
        self._venue = venue
        self._settings = venue.settings
        self._health = health

    async def run(self) -> None:
        """Run all steps. The first failure ends the start, except where `retry_start_step` retries.

        Raises:
            CredentialsRefused: The key is missing or refused.
            PermissionDenied: The key may not trade futures.
            UnsupportedAccount: The account is in a mode, or of a region, in which it is not traded.
            UnknownSymbol: A symbol of the settings is not listed.
            PositionModeMismatch: The account is in another position mode, which can't be switched now.
            InvalidRequest: The venue did not accept the leverage.
            ExchangeError: A request failed.
        """
        await retry_start_step(self._run)

    async def _run(self) -> None:
        if not self._settings.public_only:
            self.check_key_is_given()
        await self._venue.rest.clock.measure()
        if not self._settings.public_only:
            # Before the rules: loading them may send the key, too, and its failure would say less.
            await self.verify_credentials()
        await self._venue.load_rules()
        if not self._venue.rules:
            raise UnsupportedAccount(
                f"{self._venue.name} lists no USDT-margined perpetual in region {self._settings.region!r}:"
                " set exchange.region to where the account is registered; in some regions no perpetual is offered"
            )
        for symbol in (*self._settings.symbols, *self._settings.leverage):
            if symbol not in self._venue.rules:
                rows = self._venue.set_aside.rows("rules")
                unread = f"; of its list could not be read: {'; '.join(map(str, rows[:5]))}" if rows else ""
                raise UnknownSymbol(f"symbol {symbol!r}: not traded on {self._venue.name}{unread}", symbol=symbol)
        if self._settings.public_only:
            return
        await self._set_position_mode()
        for symbol, leverage in self._settings.leverage.items():
            if self._venue.rules[symbol].tradable:
                await self._set_leverage(symbol, leverage)
            else:
                reason = self._venue.rules[symbol].untradable_reason
                _log.warning("leverage not set: the symbol does not trade", symbol=symbol, state=reason)

    def check_key_is_given(self) -> None:
        """Check that the settings have every part of the key that the venue needs.

        Raises:
            CredentialsRefused: A part is missing.
        """
        fields = [("api_key", "API_KEY"), ("secret", "API_SECRET")]
        if self._venue.needs_passphrase:
            fields.append(("passphrase", "PASSPHRASE"))
        for field, variable in fields:
            if not getattr(self._settings, field).get_secret_value():
                name = self._venue.name
                raise CredentialsRefused(f"no {field} for {name}: set {variable}, or use public-only mode")

    async def verify_credentials(self) -> None:
        """Make signed calls, check the mode of the account, and log what the key may do but should not be allowed to.

        Raises:
            CredentialsRefused: The venue refuses the key.
            PermissionDenied: The key may not trade futures.
            UnsupportedAccount: The account is in a mode in which it is not traded.
        """
        name = self._venue.name
        try:
            await self._venue.check_account()
            await self._venue.account()
        except CredentialsRefused as error:
            place = "the test network" if self._settings.testnet else "the account"
            raise CredentialsRefused(
                f"{name} refused the credentials: {error}; check API_KEY and API_SECRET,"
                f" that they belong to {place}, and the key's address restrictions",
                venue_code=error.venue_code,
            ) from None
        except PermissionDenied as error:
            raise PermissionDenied(
                f"{name} does not allow this key to trade futures: {error}; enable futures trading for it",
                venue_code=error.venue_code,
            ) from None
        self._health.set("credentials", True)
        _log.info("account mode", venue=name, mode=self._venue.account_mode)
        warnings = await self._venue.key_warnings()
        for warning in warnings:
            _log.warning(warning, venue=name)
        if warnings:
            self._health.set("key_rights", True, "; ".join(warnings))
        else:
            self._health.forget("key_rights")

    async def _set_position_mode(self) -> None:
        await self._venue.load_position_mode()
        wanted = self._settings.position_mode
        if wanted is None or wanted is self._venue.position_mode:
            return
        held = [position.symbol for position in await self._venue.positions() if not position.is_flat]
        if held or await self._venue.open_orders():
            raise PositionModeMismatch(
                f"position_mode {wanted}: the account is in {self._venue.position_mode} mode and has open positions"
                f" or orders ({', '.join(held) or 'orders'}); close them first, or set position_mode to match"
            )
        await self._venue.set_position_mode(wanted)
        await self._venue.load_position_mode()
        found: PositionMode = self._venue.position_mode
        if found is not wanted:
            raise PositionModeMismatch(f"position_mode {wanted}: requested, but {self._venue.name} stays in {found}")

    async def _set_leverage(self, symbol: str, leverage: int) -> None:
        found = await self._venue.set_leverage(symbol, leverage)
        if found != Decimal(leverage):
            raise InvalidRequest(
                f"leverage {leverage} for {symbol}: requested, but {self._venue.name} has {found}; nothing is traded",
                symbol=symbol,
            )
        self._venue.leverages[symbol] = found
