"""Notices about the account: what the venue does to it, and what somebody changed on it."""

from __future__ import annotations

import time
from collections import Counter
from decimal import Decimal

from opensqt.model.account import Account, AccountNotice, NoticeKind
from opensqt.model.order import Fill, FillKind
from opensqt.telemetry.logging import get_logger

_log = get_logger("venue")
MARGIN_CALL_RATIO = Decimal("0.8")
"""Share of the equity that the maintenance margin takes at a margin call: where Binance sends one."""
KEPT_S = 3600.0
_FORCED = {FillKind.LIQUIDATION: "liquidated", FillKind.ADL: "deleveraged", FillKind.INSURANCE: "taken over"}
_Key = tuple[NoticeKind, str, bool]


class AccountNotices:
    """The notices that are shown: the newest of each kind and symbol, for an hour.

    A margin call is the venue's own, where it sends one, or follows from a queried balance. The latter is shown for as
    long as it holds, on every venue.
    """

    def __init__(self) -> None:
        self._shown: dict[_Key, tuple[AccountNotice, float]] = {}
        """With the monotonic time of each, by kind, symbol and whether it follows from a balance."""
        self.total: Counter[str] = Counter()
        """Number of notices since the start, by kind. One that is repeated while it is shown counts once."""

    def add(self, notice: AccountNotice, *, derived: bool = False) -> None:
        """Show a notice."""
        self._expire()
        key = (notice.kind, notice.symbol, derived)
        if key not in self._shown:
            self.total[notice.kind] += 1
            _log.warning("account notice", kind=notice.kind.value, symbol=notice.symbol, text=notice.text)
        self._shown[key] = (notice, time.monotonic())

    def add_fill(self, fill: Fill) -> None:
        """Show that the venue closes a position, if this fill does."""
        how = _FORCED.get(fill.kind)
        if how is not None:
            text = f"the position is being {how}: {fill.side} {fill.quantity} at {fill.price}"
            self.add(
                AccountNotice(
                    kind=NoticeKind.LIQUIDATION,
                    text=text,
                    symbol=fill.symbol,
                    event_time_ms=fill.event_time_ms,
                    received_ns=fill.received_ns,
                )
            )

    def apply_account(self, account: Account) -> None:
        """Show a margin call while the maintenance margin is near the equity."""
        key = (NoticeKind.MARGIN_CALL, "", True)
        needed, equity = account.maintenance_margin, account.margin_balance
        if not needed or needed < MARGIN_CALL_RATIO * equity:
            self._shown.pop(key, None)
        elif key not in self._shown:
            text = f"the maintenance margin of {needed} is near the equity of {equity} {account.asset}"
            notice = AccountNotice(kind=NoticeKind.MARGIN_CALL, text=text, received_ns=account.received_ns)
            self.add(notice, derived=True)

    def current(self) -> tuple[AccountNotice, ...]:
        """Return the notices that are shown now."""
        self._expire()
        return tuple(notice for notice, _ in self._shown.values())

    def _expire(self) -> None:
        before_s = time.monotonic() - KEPT_S
        old = [key for key, (_, shown_s) in self._shown.items() if shown_s < before_s and not key[2]]
        for key in old:
            del self._shown[key]
