"""Fees in assets other than quote: each is valued at the price of the minute in which it was paid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedFee:
    """The fees of one fill, of which some have no price yet."""

    trade_id: str
    foreign: bool
    """Whether it is a fill that no order of the grid made."""
    time_ms: int
    value: Decimal
    """Quote: of those that have a price."""
    left: tuple[tuple[str, Decimal], ...]
    """Asset and amount of those that have none."""
    partial: bool = False
    """Whether an asset of it has no price at all, so that the fill's fees have no value as a whole."""

    @property
    def minute_ms(self) -> int:
        """Start of the minute in which they were paid, UTC epoch milliseconds."""
        return self.time_ms - self.time_ms % MINUTE_MS


@dataclass(frozen=True, slots=True)
class FeePriced:
    """A fee that has a price now."""

    fee: AwaitedFee
    """With what is left."""
    amount: Decimal
    value: Decimal


class AwaitedFees:
    """The fills whose fees wait for a price.

    Args:
        awaited: Of an earlier run.
    """

    def __init__(self, awaited: Iterable[AwaitedFee] = ()) -> None:
        self._awaited = {fee.trade_id: fee for fee in awaited}

    def __iter__(self) -> Iterator[AwaitedFee]:
        return iter(tuple(self._awaited.values()))

    def __bool__(self) -> bool:
        return bool(self._awaited)

    def add(self, fee: AwaitedFee) -> None:
        """Wait for the prices of a fill's fees."""
        self._awaited[fee.trade_id] = fee

    def next_wanted(self) -> tuple[str, int] | None:
        """Return the asset and the minute of the oldest fee without a price."""
        for fee in self._awaited.values():
            return fee.left[0][0], fee.minute_ms
        return None

    def price(self, asset: str, minute_ms: int, price: Decimal) -> list[FeePriced]:
        """Value the fees that were paid in *asset* in that minute."""
        priced = []
        for fee in [one for one in self._awaited.values() if one.minute_ms == minute_ms]:
            amounts = [amount for name, amount in fee.left if name == asset]
            for amount in amounts:
                left = tuple(part for part in fee.left if part[0] != asset)
                fee = replace(fee, value=fee.value + amount * price, left=left)
                self._keep(fee)
                priced.append(FeePriced(fee, amount, amount * price))
        return priced

    def drop(self, asset: str) -> None:
        """Stop waiting for prices of an asset that has none: its fees stay unpriced."""
        for fee in list(self._awaited.values()):
            left = tuple(part for part in fee.left if part[0] != asset)
            if left != fee.left:
                self._keep(replace(fee, left=left, partial=True))

    def _keep(self, fee: AwaitedFee) -> None:
        if fee.left:
            self._awaited[fee.trade_id] = fee
        else:
            self._awaited.pop(fee.trade_id, None)
