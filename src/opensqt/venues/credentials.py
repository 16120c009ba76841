"""Renewal of credentials: a new key for the same account is verified and then used, without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import CredentialsRefused, Unsupported
from opensqt.model.order import OrderRef
from opensqt.telemetry.logging import get_logger, register_secrets
from opensqt.venues.account.positions import combine
from opensqt.venues.account.state import AccountState
from opensqt.venues.health import Health
from opensqt.venues.startup import Startup
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_COMPARISONS = 5
_BETWEEN_COMPARISONS_S = 0.5
MakeVenue = Callable[[VenueSettings, Health], Venue]


class CredentialsRenewal:
    """Replaces the credentials of a running adapter.

    Args:
        make_venue: Makes a second connection to the venue, which uses the same rate limiter.
        live: The connection in use; its client gets the new key.
        state: The account's state, to distinguish the account from another.
        health: Receives the check `credentials`.
        reconnect: Reconnects the account stream with the new key.
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
        """Verify the key of *settings*, then sign with it from the next request on.

        Returns:
            Whether the key differs from the one before.

        Raises:
            CredentialsRefused: The venue refuses the key, or it belongs to another account.
            PermissionDenied: The key may not trade.
            Unsupported: The adapter has no account, or the settings are of another venue.
            ExchangeError: The venue could not be queried. In each case the key in use stays.
        """
        now = self._live.settings
        if now.public_only or settings.public_only or settings.name != now.name:
            raise Unsupported(f"a new key is for the account on {now.name} only; restart for anything else")
        key, secret, passphrase = (
            value.get_secret_value() for value in (settings.api_key, settings.secret, settings.passphrase)
        )
        register_secrets(key, secret, passphrase)
        client = self._live.client
        if (key, secret, passphrase) == (client.apiKey, client.secret, client.password or ""):
            return False
        # Only the key changes; other changes in the settings are ignored.
        changed = {"api_key": settings.api_key, "secret": settings.secret, "passphrase": settings.passphrase}
        trial_health = Health(f"{now.name} (new key)")
        trial = self._make_venue(now.model_copy(update=changed), trial_health)
        try:
            await self._verify(trial, trial_health)
        finally:
            await trial.client.close()
        client.apiKey, client.secret, client.password = key, secret, passphrase
        self._health.set("credentials", True)
        _log.info("another key is in use", venue=now.name)
        self._reconnect()
        return True

    async def _verify(self, trial: Venue, health: Health) -> None:
        trial.client.clock_offset_ms = self._live.client.clock_offset_ms
        startup = Startup(trial, health)
        startup.check_key_is_given()
        await startup.verify_credentials()
        await trial.load_rules()
        await trial.load_position_mode()
        for number in range(_COMPARISONS):
            if number:
                await asyncio.sleep(_BETWEEN_COMPARISONS_S)
            if await self._is_same_account(trial):
                return
        raise CredentialsRefused(
            f"the new key for {trial.name} shows other orders, trades or another balance: it is of another account;"
            " a key can be replaced while running, an account can't"
        )

    async def _is_same_account(self, trial: Venue) -> bool:
        """Return whether the new key shows the known account. A change during the comparison may make them differ.

        An order id belongs to one account only. A trade id does not: the account on the other side shows it, too.
        """
        tracker = self._state.tracker
        shown = [OrderRef(symbol=order.symbol, order_id=order.order_id) for order in await trial.open_orders()]
        fills = [fill for symbol in list(self._state.symbols) for fill in await trial.fills(symbol, 0)]
        traded = [OrderRef(symbol=fill.symbol, order_id=fill.order_id) for fill in fills]
        if any(tracker.find(ref) for ref in (*shown, *traded)):
            return True
        if shown or tracker.open_orders():
            return False
        held = {(p.symbol, p.position_side): p.quantity for p in combine(await trial.positions()) if not p.is_flat}
        known = {(p.symbol, p.position_side): p.quantity for p in self._state.positions.snapshot if not p.is_flat}
        balance = {account.wallet_balance for account in self._state.accounts.snapshot}
        return held == known and (await trial.account()).wallet_balance in balance
