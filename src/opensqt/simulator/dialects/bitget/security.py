"""Access control: limits by address and account, then key, passphrase, timestamp and signature, as Bitget checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from urllib.parse import unquote

from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.dialects.base import Call, ErrorReply
from opensqt.simulator.dialects.bitget import errors
from opensqt.simulator.keys import Keyring
from opensqt.simulator.rate_limits import AddressLimiter, FixedWindow
from opensqt.simulator.settings import SimulatorSettings

_TIMESTAMP = re.compile(r"\d{10,13}")
_EXPIRES_MS = 30_000
_ORDER_OPERATIONS = ("place_order", "batch_place", "amend_order", "cancel_order", "batch_cancel", "cancel_all")
_REQUESTS_PER_MINUTE = 6_000
_RESTRICTED_MS = 300_000
"""Requests of an address in a minute, and the time it is refused after it exceeded them."""


class Security:
    """Admits calls, and writes the remainder of each endpoint's limit."""

    def __init__(self, settings: SimulatorSettings, clock: SimulatorClock, keys: Keyring) -> None:
        rules = settings.server
        given = rules.model_fields_set
        self._clock = clock
        self._keys = keys
        per_minute = rules.weight_per_minute if "weight_per_minute" in given else _REQUESTS_PER_MINUTE
        shut_ms = rules.ban_ms if "ban_ms" in given else _RESTRICTED_MS
        self._address_limiter = AddressLimiter(FixedWindow(per_minute, 60_000), ban_after=0, ban_ms=shut_ms)
        self._factor = max(1, per_minute // _REQUESTS_PER_MINUTE)
        self._orders_per_second = rules.orders_per_10s // 10 if "orders_per_10s" in given else None
        self._windows: dict[str, FixedWindow] = {}

    def admit(self, call: Call) -> None:
        """Admit the call and set its account, or raise Bitget's error."""
        self._charge_address(call)
        if call.route.security == "none":
            self._charge(call, call.address)
            return
        key = self._key(call)
        self._check_time(call.headers.get("ACCESS-TIMESTAMP", ""))
        self._check_request_signature(call, key)
        self._check_passphrase(key, call.headers.get("ACCESS-PASSPHRASE", ""))
        if call.headers.get("paptrading", "1") != "1":
            raise errors.bad_value("paptrading")
        call.key, call.account = key, self._keys[key].account
        self._check_right(call)
        self._charge(call, call.account)

    def admit_over_socket(self, call: Call) -> None:
        """Admit an order request of a connection that is logged in: its limits are those of REST."""
        self._charge_address(call)
        self._check_right(call)
        self._charge(call, call.account)

    def login(self, key: str, passphrase: str, timestamp: str, signature: str) -> str:
        """Return the account of a WebSocket login, or raise the error with the stream's own code."""
        if key not in self._keys:
            raise ErrorReply(400, "30011", "Invalid ACCESS_KEY")
        if not _TIMESTAMP.fullmatch(timestamp):
            raise ErrorReply(400, "30013", "Invalid ACCESS_TIMESTAMP")
        sent_ms = int(timestamp) * (1000 if len(timestamp) == 10 else 1)
        if abs(self._clock.server_ms() - sent_ms) > _EXPIRES_MS:
            raise ErrorReply(400, "30014", "Request timestamp expired")
        if not hmac.compare_digest(self._sign(key, f"{timestamp}GET/user/verify"), signature):
            raise ErrorReply(400, "30015", "Invalid sign")
        if not hmac.compare_digest(self._keys[key].passphrase, passphrase):
            raise ErrorReply(400, "30012", "Invalid ACCESS_PASSPHRASE")
        return self._keys[key].account

    def _check_right(self, call: Call) -> None:
        if call.route.operation in _ORDER_OPERATIONS and not self._keys[call.key].may_trade:
            raise ErrorReply(400, "40014", "Incorrect permissions, need future order write permissions")

    def _charge_address(self, call: Call) -> None:
        refusal = self._address_limiter.admit(call.address, 1, self._clock.server_ms())
        if refusal is not None:
            raise errors.too_many_requests(-(-refusal.retry_after_ms // 1000))

    def _charge(self, call: Call, subject: str) -> None:
        """Count the call in its endpoint's limit of one second."""
        path, now = call.route.path, self._clock.server_ms()
        window = self._windows.get(path)
        if window is None:
            per_second = call.route.weight * self._factor
            if call.route.operation in ("place_order", "batch_place") and self._orders_per_second is not None:
                per_second = self._orders_per_second
            window = self._windows[path] = FixedWindow(per_second, 1_000)
        fits = window.count(subject, 1, now)
        call.reply_headers["x-mbx-used-remain-limit"] = str(max(0, window.limit - window.used(subject, now)))
        if not fits:
            raise errors.too_many_requests(1)

    def _key(self, call: Call) -> str:
        key = call.headers.get("ACCESS-KEY", "")
        if not key:
            raise ErrorReply(400, "40001", "ACCESS_KEY cannot be empty")
        if key not in self._keys:
            raise ErrorReply(400, "40006", "Invalid ACCESS_KEY")
        return key

    def _check_time(self, timestamp: str) -> None:
        if not _TIMESTAMP.fullmatch(timestamp) or len(timestamp) != 13:
            raise ErrorReply(400, "40005", "Invalid ACCESS_TIMESTAMP")
        if abs(self._clock.server_ms() - int(timestamp)) > _EXPIRES_MS:
            raise ErrorReply(400, "40008", "Request timestamp expired")

    def _check_request_signature(self, call: Call, key: str) -> None:
        signature = call.headers.get("ACCESS-SIGN", "")
        if not signature:
            raise ErrorReply(400, "40003", "Signature cannot be empty")
        before = f"{call.headers['ACCESS-TIMESTAMP']}{call.route.method}{call.route.path}"
        # The signed query is the decoded one, not the escaped one that is sent.
        spellings = {f"?{query}" if query else "" for query in (call.query, unquote(call.query))}
        expected = [self._sign(key, f"{before}{query}{call.body}") for query in spellings]
        if not any(hmac.compare_digest(one, signature) for one in expected):
            raise ErrorReply(400, "40009", "sign signature error")

    def _check_passphrase(self, key: str, passphrase: str) -> None:
        if not passphrase:
            raise ErrorReply(400, "40011", "ACCESS_PASSPHRASE cannot be empty")
        if not hmac.compare_digest(self._keys[key].passphrase, passphrase):
            raise ErrorReply(400, "40012", "apikey/password is incorrect")

    def _sign(self, key: str, signed: str) -> str:
        secret = self._keys[key].secret.encode()
        return base64.b64encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest()).decode()
