"""Client order ids that name their slot, so that an order found at the venue can be assigned to it.

SQ1 B 2 1c 3 BTC 1MkP0ab
 |  | | |  | |    sequence, base 62: only grows, survives restarts
 |  | | |  | symbol without its USDT
 |  | | |  length of the symbol part
 |  | | level, base 62, the sign folded in
 |  | length of the level part
 |  B or S
 strategy, three letters or digits
"""

from __future__ import annotations

from opensqt.model.client_order_id import base62, is_valid
from opensqt.model.immutable import immutable
from opensqt.model.order import Side

MAX_LENGTH = 28
"""Characters that Gate leaves after its `t-`."""
STRATEGY_LENGTH = 3
_DIGITS = {digit: value for value, digit in enumerate(base62(n) for n in range(62))}
_REMEMBERED = 20_000
_SIDES = {"B": Side.BUY, "S": Side.SELL}


@immutable
class SlotName:
    """The parts of an id that identify a slot and an intent."""

    level: int
    side: Side
    sequence: int


class OrderIds:
    """Makes and reads the ids of one strategy on one symbol."""

    def __init__(self, strategy: str, symbol: str) -> None:
        self._strategy = strategy
        self._tag = symbol.removesuffix("USDT")
        self._before_level = {side: f"{strategy}{letter}" for letter, side in _SIDES.items()}
        self._after_level = f"{base62(len(self._tag))}{self._tag}"
        self._is_valid = is_valid(strategy + self._tag)
        self._names: dict[str, SlotName | None] = {}
        """What was read lately: late reports name an order again."""

    def make(self, level: int, side: Side, sequence: int) -> str:
        """Write an id.

        Raises:
            ValueError: It would be longer than the shortest limit of the venues.
        """
        slot = base62(_fold(level))
        made = f"{self._before_level[side]}{len(slot)}{slot}{self._after_level}{base62(sequence)}"
        if not self._is_valid or len(made) > MAX_LENGTH:
            raise ValueError(f"client_order_id {made!r}: expected at most {MAX_LENGTH} letters and digits")
        return made

    def read(self, client_order_id: str) -> SlotName | None:
        """Return the parts of an id, or None when it is not an id of this strategy on this symbol."""
        try:
            return self._names[client_order_id]
        except KeyError:
            if len(self._names) >= _REMEMBERED:
                self._names.clear()
            name = self._names[client_order_id] = self._read(client_order_id)
            return name

    def _read(self, client_order_id: str) -> SlotName | None:
        if not is_valid(client_order_id, max_length=MAX_LENGTH) or not client_order_id.startswith(self._strategy):
            return None
        rest = client_order_id[STRATEGY_LENGTH:]
        side = _SIDES.get(rest[:1])
        slot, rest = _cut(rest[1:])
        tag, sequence = _cut(rest)
        if side is None or not slot or tag != self._tag or not sequence:
            return None
        return SlotName(level=_unfold(_number(slot)), side=side, sequence=_number(sequence))


def _cut(text: str) -> tuple[str, str]:
    """Split off a part that is led by its length."""
    if not text:
        return "", ""
    end = 1 + _DIGITS[text[0]]
    return (text[1:end], text[end:]) if end <= len(text) else ("", "")


def _number(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 62 + _DIGITS[digit]
    return number


def _fold(level: int) -> int:
    return 2 * level if level >= 0 else -2 * level - 1


def _unfold(number: int) -> int:
    return number // 2 if number % 2 == 0 else -(number + 1) // 2
