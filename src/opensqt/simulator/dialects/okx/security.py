"""Access control: rate limits of each endpoint, then key, timestamp, signature and passphrase, with OKX's errors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from decimal import Decimal

from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.dialects.base import Call, ErrorReply
from opensqt.simulator.dialects.okx import errors, parameters
from opensqt.simulator.keys import Keyring
from opensqt.simulator.rate_limits import FixedWindow
from opensqt.simulator.settings import SimulatorSettings

_WINDOW_MS = 2_000
_TIMESTAMP_TOLERANCE_MS = 30_000
_HEADERS = (
    ("OK-ACCESS-KEY", "50103"),
    ("OK-ACCESS-PASSPHRASE", "50104"),
    ("OK-ACCESS-SIGN", "50106"),
    ("OK-ACCESS-TIMESTAMP", "50107"),
)
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
"""A timestamp of a login; the venue's own example divides milliseconds by 1,000."""
_LOGIN_PATH = "/users/self/verify"


class Security:
    """Admits calls and logins.

    A route's `weight` is the number of calls that its endpoint accepts in two seconds, or of orders where it takes
    batches: per address where it is public, per account where it is signed.
    """

    def __init__(self, settings: SimulatorSettings, clock: SimulatorClock, keys: Keyring) -> None:
        self._clock = clock
        self._keys = keys
        self._windows: dict[str, FixedWindow] = {}

    def admit(self, call: Call) -> None:
        """Admit the call and set its account, or raise OKX's error."""
        if call.route.security == "signed":
            self._check_signed(call)
        if call.headers.get("x-simulated-trading", "0") not in ("0", "1"):
            raise ErrorReply(401, "50101", "APIKey does not match current environment.")
        self._charge(call)

    def admit_over_socket(self, call: Call) -> None:
        """Admit an order request of a connection that is logged in: its key's right and its limit, that of REST."""
        if not self._keys[call.key].may_trade:
            raise errors.may_not_trade()
        self._charge(call)

    def login(self, key: str, passphrase: str, timestamp: str, sign: str) -> str:
        """Return the account that a WebSocket client signs in to.

        Raises:
            ErrorReply: With the code of the `error` event that is sent.
        """
        account = self._keys.get(key)
        if account is None:
            raise ErrorReply(400, "60005", "Invalid apiKey")
        if not _SECONDS.fullmatch(timestamp):
            raise ErrorReply(400, "60004", "Invalid timestamp")
        if abs(self._clock.server_ms() - Decimal(timestamp) * 1000) > _TIMESTAMP_TOLERANCE_MS:
            raise ErrorReply(400, "60006", "Timestamp request expired")
        if not _matches(account.secret, f"{timestamp}GET{_LOGIN_PATH}", sign):
            raise ErrorReply(400, "60007", "Invalid sign")
        if not _same(account.passphrase, passphrase):
            raise ErrorReply(400, "60024", "Wrong passphrase")
        return account.account

    def _charge(self, call: Call) -> None:
        endpoint = f"{call.route.method} {call.route.path}"
        window = self._windows.setdefault(endpoint, FixedWindow(call.route.weight, _WINDOW_MS))
        if not window.count(call.account or call.address, parameters.count(call), self._clock.server_ms()):
            raise errors.too_many_requests()

    def _check_signed(self, call: Call) -> None:
        for header, code in _HEADERS:
            if not call.headers.get(header):
                raise ErrorReply(401, code, f'Request header "{header}" cannot be empty.')
        account = self._keys.get(call.headers["OK-ACCESS-KEY"])
        if account is None:
            raise ErrorReply(401, "50111", "Invalid OK-ACCESS-KEY")
        timestamp = call.headers["OK-ACCESS-TIMESTAMP"]
        self._check_time(timestamp)
        path = call.route.path + (f"?{call.query}" if call.query else "")
        signed = f"{timestamp}{call.route.method}{path}{call.body}"
        if not _matches(account.secret, signed, call.headers["OK-ACCESS-SIGN"]):
            raise ErrorReply(401, "50113", "Invalid Sign")
        if not _same(account.passphrase, call.headers["OK-ACCESS-PASSPHRASE"]):
            raise ErrorReply(401, "50105", 'Request header "OK-ACCESS-PASSPHRASE" incorrect.')
        if call.route.method == "POST" and not account.may_trade:
            raise errors.may_not_trade()
        call.key, call.account = account.key, account.account

    def _check_time(self, timestamp: str) -> None:
        try:
            signed_at = datetime.fromisoformat(timestamp)
        except ValueError:
            raise ErrorReply(401, "50112", "Invalid OK-ACCESS-TIMESTAMP") from None
        if signed_at.tzinfo is None:
            signed_at = signed_at.replace(tzinfo=UTC)
        if abs(self._clock.server_ms() - signed_at.timestamp() * 1000) > _TIMESTAMP_TOLERANCE_MS:
            raise ErrorReply(401, "50102", "Timestamp request expired")


def _matches(secret: str, signed: str, sign: str) -> bool:
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(base64.b64encode(digest), sign.encode())


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
