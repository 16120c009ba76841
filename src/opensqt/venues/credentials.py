"""Another key for the same account, proven before it is used, without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import CredentialsRefused, Unsupported
from opensqt.model.order import OrderRef
from opensqt.telemetry.logging import get_logger, protect
from opensqt.venues.account.state import AccountState
from opensqt.venues.health import Health
from opensqt.venues.startup import Startup
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_LOOKS = 5
_BETWEEN_LOOKS_S = 0.5
MakeVenue = Callable[[VenueSettings, Health], Venue]


class CredentialsRenewal:
    """Takes up new credentials.

    Args:
        reach: Makes a second way to the venue, which draws on the same rate budget.
        live: The one in use; its client gets the new key.
        books: What is known of the account, to tell it from another.
        health: Where `credentials` is told.
        log_in: Has the private stream log in again.
    """

    def __init__(
        self, make_venue: MakeVenue, live: Venue, state: AccountState, health: Health, reconnect: Callable[[], None]
    ) -> None:
        self._make_venue = make_venue
        self._live = live
        self._state = state
        self._health = health
        self._reconnect = reconnect

    async def renew(self, settings: VenueSettings) -> bool:
        """Prove the key that *settings* hold, then sign with it from the next request on.

        Returns:
            Whether it is another one than before.

        Raises:
            CredentialsRefused: The venue does not take it, or it is another account's.
            PermissionDenied: It may not trade.
            Unsupported: There is no account here, or the settings are of another venue.
            ExchangeError: The venue could not be asked. In each case the key in use stays.
        """
        now = self._live.settings
        if now.public_only or settings.public_only or settings.name != now.name:
            raise Unsupported(f"a new key is for the account on {now.name} only; restart for anything else")
        key, secret, passphrase = (
            value.get_secret_value() for value in (settings.api_key, settings.secret, settings.passphrase)
        )
        protect(key, secret, passphrase)
        client = self._live.client
        if (key, secret, passphrase) == (client.apiKey, client.secret, client.password or ""):
            return False
        # With the new key; all else is as it was, whatever else changed in the settings.
        changed = {"api_key": settings.api_key, "secret": settings.secret, "passphrase": settings.passphrase}
        trial_health = Health(f"{now.name} (new key)")
        trial = self._make_venue(now.model_copy(update=changed), trial_health)
        try:
            await self._prove(trial, trial_health)
        finally:
            await trial.client.close()
        client.apiKey, client.secret, client.password = key, secret, passphrase
        self._health.set("credentials", True)
        _log.info("another key is in use", venue=now.name)
        self._reconnect()
        return True

    async def _prove(self, trial: Venue, health: Health) -> None:
        trial.client.clock_offset_ms = self._live.client.clock_offset_ms
        startup = Startup(trial, health)
        startup.check_key_is_given()
        await startup.prove_credentials()
        await trial.load_rules()
        await trial.load_position_mode()
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(_BETWEEN_LOOKS_S)
            if await self._is_same_account(trial):
                return
        raise CredentialsRefused(
            f"the new key for {trial.name} shows other orders, trades or another balance: it is of another account;"
            " a key can be replaced while running, an account can't"
        )

    async def _is_same_account(self, trial: Venue) -> bool:
        """Compare what the new key shows with what is known; what happens at this very moment may make them differ.

        Ids of orders are one account's only. Those of trades are not: an account that traded with ours shows them, too.
        """
        tracker = self._state.tracker
        shown = [OrderRef(symbol=order.symbol, order_id=order.order_id) for order in await trial.open_orders()]
        fills = [fill for symbol in list(self._state.symbols) for fill in await trial.fills(symbol, 0)]
        traded = [OrderRef(symbol=fill.symbol, order_id=fill.order_id) for fill in fills]
        if any(tracker.find(ref) for ref in (*shown, *traded)):
            return True
        if shown or tracker.open_orders():
            return False
        held = {(p.symbol, p.position_side): p.quantity for p in await trial.positions() if not p.is_flat}
        believed = {(p.symbol, p.position_side): p.quantity for p in self._state.positions.snapshot if not p.is_flat}
        balance = {account.wallet_balance for account in self._state.accounts.snapshot}
        return held == believed and (await trial.account()).wallet_balance in balance
