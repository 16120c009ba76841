"""Access control: limits by endpoint, then key, timestamp and signature, with Gate's labels."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.dialects.base import Call
from opensqt.simulator.dialects.gate import errors
from opensqt.simulator.keys import Keyring
from opensqt.simulator.rate_limits import FixedWindow
from opensqt.simulator.settings import SimulatorSettings

_GAP_MS = 60_000
_FIRST_USER = 20_000_001
_TIMESTAMP = re.compile(r"[0-9]{9,12}(\.[0-9]{1,9})?")
_ORDER_OPERATIONS = {
    "place_order": 1,
    "batch_place": 1,
    "amend_order": 1,
    "cancel_order": 2,
    "batch_cancel": 2,
    "cancel_all": 2,
}
"""Operations with limits of their own, as multiples of the limit of placing."""


class Security:
    """Admits calls and subscriptions.

    The settings' limits have Binance's defaults; Gate's follow from them in proportion, so that the defaults become
    Gate's own limits: 200 requests in 10 s to each endpoint, 100 orders and 200 cancels a second.
    """

    def __init__(self, settings: SimulatorSettings, clock: SimulatorClock, keys: Keyring) -> None:
        rules = settings.server
        self._clock = clock
        self._keys = keys
        self._users = {account.key: _FIRST_USER + number for number, account in enumerate(settings.accounts)}
        self._endpoints = FixedWindow(max(1, rules.weight_per_minute // 12), 10_000)
        placing = max(1, rules.orders_per_10s // 3)
        self._orders = {times: FixedWindow(placing * times, 1_000) for times in (1, 2)}

    def user(self, account: str) -> int:
        """Return the user id of an account."""
        return self._users[account]

    def admit(self, call: Call) -> None:
        """Admit the call and set its account, or raise Gate's error."""
        self._charge(call)
        if call.route.security == "none":
            return
        key, signature, timestamp = (self._header(call, name) for name in ("KEY", "SIGN", "Timestamp"))
        if key not in self._keys:
            raise errors.invalid_key()
        self._check_time(timestamp)
        content = hashlib.sha512(call.body.encode()).hexdigest()
        query = unquote_plus(call.query)
        signed = f"{call.route.method}\n{call.path}\n{query}\n{content}\n{timestamp}"
        if not hmac.compare_digest(self._sign(key, signed), signature):
            raise errors.invalid_signature()
        call.key, call.account = key, self._keys[key].account
        self._check_rights(call)

    def admit_over_socket(self, call: Call) -> None:
        """Admit an order request of a connection that is logged in: its limits are those of REST."""
        self._charge(call)
        self._check_rights(call)

    def login(self, payload: Mapping[str, Any], parameter: str) -> str:
        """Return the key of a login over a WebSocket.

        Args:
            payload: Of the login.
            parameter: Its `req_param` as it was sent; the documents sign an empty text.

        Raises:
            ErrorReply: The login is refused.
        """
        key, timestamp = str(payload.get("api_key", "")), str(payload.get("timestamp", ""))
        if key not in self._keys:
            raise errors.invalid_key()
        self._check_time(timestamp)
        signed = [self._sign(key, f"api\nfutures.login\n{text}\n{timestamp}") for text in {parameter, ""}]
        signature = str(payload.get("signature", "")).encode()
        if not any(hmac.compare_digest(one.encode(), signature) for one in signed):
            raise errors.invalid_signature()
        return key

    def subscriber(self, message: Mapping[str, Any]) -> str | None:
        """Return the key that a subscription is signed with, or None when the signature is not valid."""
        auth = message.get("auth")
        if not isinstance(auth, dict) or auth.get("method") != "api_key" or auth.get("KEY") not in self._keys:
            return None
        time_s = message.get("time")
        if not isinstance(time_s, int) or abs(time_s * 1000 - self._clock.server_ms()) > _GAP_MS:
            return None
        signed = f"channel={message.get('channel')}&event={message.get('event')}&time={time_s}"
        key = str(auth["KEY"])
        return key if hmac.compare_digest(self._sign(key, signed), str(auth.get("SIGN"))) else None

    def _check_rights(self, call: Call) -> None:
        expires = call.headers.get("x-gate-exptime", "")
        if expires and (not expires.isdecimal() or int(expires) < self._clock.server_ms()):
            raise errors.expired("request expired before it was handled")
        if call.route.operation in _ORDER_OPERATIONS and not self._keys[call.key].may_trade:
            raise errors.read_only()

    def _charge(self, call: Call) -> None:
        now = self._clock.server_ms()
        subject = call.headers.get("KEY") or call.address
        times = _ORDER_OPERATIONS.get(call.route.operation)
        window = self._endpoints if times is None else self._orders[times]
        key = f"{subject} {call.route.method} {call.route.path}" if times is None else subject
        granted = window.count(key, 1, now)
        reset_ms = now if granted else now + window.remaining_ms(now)
        call.reply_headers["X-Gate-RateLimit-Limit"] = str(window.limit)
        call.reply_headers["X-Gate-RateLimit-Requests-Remain"] = str(max(0, window.limit - window.used(key, now)))
        call.reply_headers["X-Gate-RateLimit-Reset-Timestamp"] = str(-(-reset_ms // 1000))
        if not granted:
            raise errors.too_many_requests(-(-window.remaining_ms(now) // 1000))

    def _header(self, call: Call, name: str) -> str:
        value = call.headers.get(name, "")
        if not value:
            raise errors.missing_header(name)
        return value

    def _check_time(self, timestamp: str) -> None:
        if not _TIMESTAMP.fullmatch(timestamp):
            raise errors.bad_value("Timestamp")
        if abs(int(Decimal(timestamp) * 1000) - self._clock.server_ms()) > _GAP_MS:
            raise errors.expired("gap between request Timestamp and server time exceeds 60")

    def _sign(self, key: str, text: str) -> str:
        return hmac.new(self._keys[key].secret.encode(), text.encode(), hashlib.sha512).hexdigest()
