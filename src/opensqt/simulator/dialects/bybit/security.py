"""Access control: the address's limit, then key, timestamp and signature, then the endpoint's own limit per second."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.dialects.base import Call, ErrorReply
from opensqt.simulator.dialects.bybit import errors, parameters
from opensqt.simulator.keys import ApiKey, Keyring
from opensqt.simulator.rate_limits import AddressLimiter, FixedWindow
from opensqt.simulator.settings import SimulatorSettings

_DEFAULT_WINDOW_MS = 5000
_AHEAD_MS = 1000
_ADDRESS_WINDOW_MS = 5000
_ADDRESS_LIMIT = 600
_ORDERS_PER_S = 10
_QUERIES_PER_S = 50
_ORDER_OPERATIONS = ("place_order", "batch_place", "amend_order", "cancel_order", "batch_cancel", "cancel_all")


class Security:
    """Admits calls, and keeps the counts of the X-Bapi headers.

    The limits are Bybit's own unless the settings give others: their limits of an address in a minute and of an
    account's orders in ten seconds are then scaled to the venue's windows of five seconds and of one.
    """

    def __init__(self, settings: SimulatorSettings, clock: SimulatorClock, keys: Keyring) -> None:
        rules, given = settings.server, settings.server.model_fields_set
        self._clock = clock
        self._keys = keys
        by_address = rules.weight_per_minute // 12 if "weight_per_minute" in given else _ADDRESS_LIMIT
        self._address_limiter = AddressLimiter(
            FixedWindow(by_address, _ADDRESS_WINDOW_MS), ban_after=0, ban_ms=rules.ban_ms
        )
        orders = rules.orders_per_10s // 10 if "orders_per_10s" in given else _ORDERS_PER_S
        queries = max(_QUERIES_PER_S, by_address // 12)
        self._orders, self._queries = FixedWindow(orders, 1000), FixedWindow(queries, 1000)

    def login(self, arguments: Any) -> ApiKey:
        """Return the key of a WebSocket login: key, time of expiry and signature.

        Raises:
            ErrorReply: The login is refused.
        """
        fields = arguments if isinstance(arguments, list) and len(arguments) == 3 else ("", "", "")
        key, expires, signature = (str(each) for each in fields)
        found = self._keys.get(key)
        if not expires.isdecimal() or int(expires) <= self.now_ms():
            raise errors.parameter("Params Error: expires is not later than the server's time")
        if found is None:
            raise ErrorReply(200, "10003", "API key is invalid.")
        if not hmac.compare_digest(sign(found.secret, f"GET/realtime{expires}").encode(), signature.encode()):
            raise ErrorReply(200, "10004", "error sign!")
        return found

    def now_ms(self) -> int:
        """Return the venue's time."""
        return self._clock.server_ms()

    def admit(self, call: Call, path_limit: int = 1) -> None:
        """Admit the call and set its account, or raise Bybit's error.

        Args:
            call: Its `account` is set.
            path_limit: Number of the endpoint's units that it uses: each order of a batch counts.
        """
        if self._address_limiter.admit(call.address, 1, self.now_ms()) is not None:
            raise errors.too_frequent()
        if call.route.security == "none":
            return
        account = self._named(call)
        self._check_time(call)
        self._check_signature(call, account)
        if call.route.operation in _ORDER_OPERATIONS and not account.may_trade:
            raise ErrorReply(200, "10005", "Permission denied, please check your API key permissions.")
        call.key, call.account = account.key, account.account
        self._charge(call, path_limit)

    def admit_over_socket(self, call: Call, path_limit: int) -> None:
        """Admit an order request of a connection that is logged in: its time and its limits, those of REST."""
        if self._address_limiter.admit(call.address, 1, self.now_ms()) is not None:
            raise errors.too_frequent()
        self._check_time(call)
        self._charge(call, path_limit)

    def _named(self, call: Call) -> ApiKey:
        headers = call.headers
        for name in ("X-BAPI-API-KEY", "X-BAPI-TIMESTAMP", "X-BAPI-SIGN"):
            if not headers.get(name):
                raise ErrorReply(200, "10007", "User authentication failed.")
        account = self._keys.get(headers["X-BAPI-API-KEY"])
        if account is None:
            raise ErrorReply(200, "10003", "API key is invalid.")
        return account

    def _check_time(self, call: Call) -> None:
        headers = {name: call.headers.get(f"X-BAPI-{name}", "") for name in ("TIMESTAMP", "RECV-WINDOW")}
        timestamp = parameters.integer(headers, "TIMESTAMP") or 0
        window = parameters.integer(headers, "RECV-WINDOW") or _DEFAULT_WINDOW_MS
        now = self.now_ms()
        if not now - window <= timestamp < now + _AHEAD_MS:
            raise ErrorReply(
                200,
                "10002",
                "invalid request, please check your server timestamp or recv_window param."
                f" req_timestamp[{timestamp}],server_timestamp[{now}],recv_window[{window}]",
            )

    def _check_signature(self, call: Call, account: ApiKey) -> None:
        headers = call.headers
        payload = call.body if call.route.method == "POST" else call.query
        origin = headers["X-BAPI-TIMESTAMP"] + account.key + headers.get("X-BAPI-RECV-WINDOW", "") + payload
        if not hmac.compare_digest(sign(account.secret, origin), headers["X-BAPI-SIGN"]):
            # The venue's error shows the signed text, with the key in it.
            raise ErrorReply(200, "10004", f"error sign! origin_string[{origin}]")

    def _charge(self, call: Call, amount: int) -> None:
        window = self._orders if call.route.operation in _ORDER_OPERATIONS else self._queries
        key, now = f"{call.account} {call.route.path}", self.now_ms()
        passed = window.count(key, amount, now)
        call.reply_headers["X-Bapi-Limit"] = str(window.limit)
        call.reply_headers["X-Bapi-Limit-Status"] = str(max(0, window.limit - window.used(key, now)))
        call.reply_headers["X-Bapi-Limit-Reset-Timestamp"] = str(now if passed else now + window.remaining_ms(now))
        if not passed:
            raise errors.too_many_visits()


def sign(secret: str, text: str) -> str:
    """Return the signature of a text, as requests and logins are signed."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
