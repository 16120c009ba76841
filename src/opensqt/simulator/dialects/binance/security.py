"""Access control: rate limits by address, then key, timestamp and signature, in Binance's order and with its errors."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.dialects.base import Call, ErrorReply
from opensqt.simulator.dialects.binance import errors, parameters
from opensqt.simulator.keys import Keyring
from opensqt.simulator.rate_limits import AddressLimiter, FixedWindow
from opensqt.simulator.settings import SimulatorSettings

_KEY = re.compile(r"[A-Za-z0-9-]{1,128}")
_DEFAULT_WINDOW_MS = 5000
_LONGEST_WINDOW_MS = 60_000
_AHEAD_MS = 1000
_ORDER_OPERATIONS = ("place_order", "batch_place", "amend_order", "cancel_order", "batch_cancel", "cancel_all")


class Security:
    """Admits calls, and keeps the counts of the X-MBX headers."""

    def __init__(self, settings: SimulatorSettings, clock: SimulatorClock, keys: Keyring) -> None:
        rules = settings.server
        self._clock = clock
        self._keys = keys
        self._weight = FixedWindow(rules.weight_limit, rules.weight_window_s * 1_000)
        interval, count = self._weight_interval = rules.weight_interval
        self._weight_header = f"X-MBX-USED-WEIGHT-{count}{interval[0]}"
        self._address_limiter = AddressLimiter(self._weight, ban_after=rules.ban_after, ban_ms=rules.ban_ms)
        self._orders = (
            ("X-MBX-ORDER-COUNT-10S", "TEN_SECONDS", FixedWindow(rules.orders_per_10s, 10_000)),
            ("X-MBX-ORDER-COUNT-1M", "MINUTE", FixedWindow(rules.orders_per_minute, 60_000)),
        )

    def admit(self, call: Call) -> None:
        """Admit the call and set its account, or raise Binance's error."""
        self._charge(call)
        if call.route.security == "none":
            return
        call.key = self._key(call)
        call.account = self._keys[call.key].account
        if call.route.security == "signed":
            self._check_time(call)
            self._check_signature(call)
        if call.route.operation in _ORDER_OPERATIONS and not self._keys[call.key].may_trade:
            raise ErrorReply(401, "-2015", "Invalid API-key, IP, or permissions for action.")

    def count_orders(self, call: Call, number: int) -> None:
        """Count new orders of the account, and write the headers with the counts."""
        now = self._clock.server_ms()
        broken = None
        for header, interval, window in self._orders:
            if not window.count(call.account, number, now) and broken is None:
                retry_after_s = -(-window.remaining_ms(now) // 1000)
                broken = errors.too_many_orders(window.limit, interval, retry_after_s)
            call.reply_headers[header] = str(window.used(call.account, now))
        if broken is not None:
            raise broken

    def rate_limits(self, call: Call) -> list[dict[str, Any]]:
        """Write the counts of a call as the WebSocket API does: of requests, and of orders if it placed some."""
        now = self._clock.server_ms()
        interval, count = self._weight_interval
        used = self._weight.used(call.address, now)
        rows = [_limit("REQUEST_WEIGHT", interval, count, self._weight.limit, used)]
        for (header, _, window), (name, number) in zip(self._orders, (("SECOND", 10), ("MINUTE", 1)), strict=True):
            if header in call.reply_headers:
                rows.append(_limit("ORDERS", name, number, window.limit, window.used(call.account, now)))
        return rows

    def _charge(self, call: Call) -> None:
        now = self._clock.server_ms()
        weight = call.route.cost(call.params) if call.route.cost is not None else call.route.weight
        refusal = self._address_limiter.admit(call.address, weight, now)
        call.reply_headers[self._weight_header] = str(self._weight.used(call.address, now))
        if refusal is None:
            return
        retry_after_s = -(-refusal.retry_after_ms // 1000)
        if refusal.banned:
            raise errors.banned(now + refusal.retry_after_ms, retry_after_s)
        raise errors.too_many_requests(self._weight.limit, retry_after_s)

    def _key(self, call: Call) -> str:
        key = call.headers.get("X-MBX-APIKEY", "")
        if not _KEY.fullmatch(key):
            raise ErrorReply(401, "-2014", "API-key format invalid.")
        if key not in self._keys:
            raise ErrorReply(401, "-2015", "Invalid API-key, IP, or permissions for action.")
        return key

    def _check_time(self, call: Call) -> None:
        timestamp = parameters.integer(call.params, "timestamp")
        if timestamp is None:
            raise errors.missing("timestamp")
        window = parameters.integer(call.params, "recvWindow")
        window = _DEFAULT_WINDOW_MS if window is None else window
        if window > _LONGEST_WINDOW_MS:
            raise ErrorReply(400, "-1131", f"recvWindow must be less than {_LONGEST_WINDOW_MS}.")
        now = self._clock.server_ms()
        if timestamp >= now + _AHEAD_MS:
            message = f"Timestamp for this request was {_AHEAD_MS}ms ahead of the server's time."
            raise ErrorReply(400, "-1021", message)
        if now - timestamp > window:
            raise ErrorReply(400, "-1021", "Timestamp for this request is outside of the recvWindow.")

    def _check_signature(self, call: Call) -> None:
        signature = parameters.text(call.params, "signature")
        signed = _without_signature(call.query) + _without_signature(call.body)
        secret = self._keys[call.key].secret
        expected = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            raise ErrorReply(400, "-1022", "Signature for this request is not valid.")


def _limit(kind: str, interval: str, number: int, limit: int, used: int) -> dict[str, Any]:
    row = {"rateLimitType": kind, "interval": interval, "intervalNum": number}
    return {**row, "limit": limit, "count": used}


def _without_signature(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))
