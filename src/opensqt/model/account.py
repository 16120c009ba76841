"""The account and its positions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from opensqt.model.order import MarginMode as MarginMode
from opensqt.model.order import PositionSide


class PositionMode(StrEnum):
    """One net position per symbol, or a long and a short position at the same time."""

    ONE_WAY = "ONE_WAY"
    HEDGE = "HEDGE"


class NoticeKind(StrEnum):
    """What the venue does to the account, or what somebody changed on it."""

    MARGIN_CALL = "MARGIN_CALL"
    """The margin is nearly used up: positions will be liquidated if it falls further."""
    LIQUIDATION = "LIQUIDATION"
    """The venue is closing a position, because of its margin or by auto-deleveraging."""
    POSITION_MODE = "POSITION_MODE"
    """The account was switched to the other position mode."""
    ACCOUNT_MODE = "ACCOUNT_MODE"
    """The account was switched to another margin mode or to another kind of account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountNotice:
    """A notice about the account."""

    kind: NoticeKind
    text: str
    """A sentence: what happened, with the venue's own terms and amounts."""
    symbol: str = ""
    """Canonical; empty where it concerns the whole account."""
    event_time_ms: int = 0
    """The venue's time of it, UTC epoch milliseconds; 0 where it was found by a query."""
    received_ns: int = 0
    """Local time of receipt, UTC epoch nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The quote-asset side of the account, in quote units."""

    asset: str
    """The asset in which profit and fees are booked: USDT, or BNFCR in the credits mode of Binance."""
    wallet_balance: Decimal
    """Deposits, realized profit, fees and funding; without open profit."""
    unrealized_pnl: Decimal
    available_balance: Decimal
    """Balance that new orders may use as margin: of every asset that serves as margin, where there are several."""
    initial_margin: Decimal = Decimal(0)
    """Held by positions and open orders."""
    maintenance_margin: Decimal = Decimal(0)
    notices: tuple[AccountNotice, ...] = ()
    """Those of the last hour, and a margin call for as long as it holds: the newest of each kind and symbol."""
    event_time_ms: int = 0
    received_ns: int = 0
    total_margin_balance: Decimal | None = None
    """Value of all assets that serve as margin, with open profit, in US dollars; None where only `asset` serves."""

    @property
    def margin_balance(self) -> Decimal:
        """Wallet balance and open profit together: the account's equity in `asset`."""
        return self.wallet_balance + self.unrealized_pnl


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One position. A flat position is reported as an explicit zero, not left out."""

    symbol: str
    quantity: Decimal
    """Base coins, signed: above zero is long. In hedge mode a SHORT position is negative too."""
    entry_price: Decimal
    """Average, quote per base coin; zero when flat."""
    position_side: PositionSide = PositionSide.BOTH
    mark_price: Decimal | None = None
    unrealized_pnl: Decimal = Decimal(0)
    liquidation_price: Decimal | None = None
    leverage: Decimal | None = None
    margin_mode: MarginMode = MarginMode.CROSS
    isolated_quantity: Decimal = Decimal(0)
    """The part of `quantity` that is held under isolated margin beside a part under cross margin, signed; zero where
    all of it has `margin_mode`. The two may cancel out: then nothing is held in sum, and the position is not flat."""
    event_time_ms: int = 0
    received_ns: int = 0

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return self.quantity == 0 and self.isolated_quantity == 0

    @property
    def parts(self) -> dict[MarginMode, Decimal]:
        """What is held under each margin mode, signed."""
        if not self.isolated_quantity:
            return {self.margin_mode: self.quantity} if self.quantity else {}
        cross = self.quantity - self.isolated_quantity
        return {MarginMode.CROSS: cross, MarginMode.ISOLATED: self.isolated_quantity}
