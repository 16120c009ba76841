"""Where trading is halted, by whom and for how long: the gate that new orders have to pass. No I/O and no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf

from opensqt.connector.orders.elapsed import check_ttl
from opensqt.connector.orders.journal import HaltRecord
from opensqt.model import client_order_id
from opensqt.model.errors import InvalidRequest, TradingHalted

MOST_HALTS = 100
LONGEST_REASON = 200
_SOON_S = 1.0
_LATER_S = 5.0


@dataclass(slots=True)
class _ActiveHalt:
    record: HaltRecord
    left_s: float
    """Infinite for one that stands until it is lifted."""


class Halts:
    """Every halt of the account and of its symbols; the `OrderGate` of what is placed through the connector.

    Some are named and kept, by `put`; one that only lasts while a call cancels all orders of a symbol is `passing`.
    """

    def __init__(self) -> None:
        self._halts: dict[str, _ActiveHalt] = {}
        self._passing: Counter[str] = Counter()
        self._watchers: dict[object, Callable[[], None]] = {}

    @property
    def count(self) -> int:
        """How many named halts stand."""
        return len(self._halts)

    # What is asked of every order.

    def refusal(self, symbol: str) -> TradingHalted | None:
        """Return why no order of a symbol may be sent now, None when it may."""
        if not self._halts and not self._passing:
            return None
        for halt in self._halts.values():
            if halt.record.symbol in ("", symbol):
                return _refusal(halt, symbol)
        if not self._passing[symbol]:
            return None
        text = f"all orders of {symbol} are being canceled; new ones are taken when that is done"
        return TradingHalted(text, symbol=symbol, retry_after_s=_SOON_S)

    def applies_to(self, halt_id: str, symbol: str) -> bool:
        """Return whether a halt of this id stands and concerns a symbol."""
        halt = self._halts.get(halt_id)
        return halt is not None and halt.record.symbol in ("", symbol)

    @contextmanager
    def watch(self, closed: Callable[[], None]) -> Iterator[None]:
        """Call *closed* each time that trading is halted further, while the block runs."""
        key = object()
        self._watchers[key] = closed
        try:
            yield
        finally:
            del self._watchers[key]

    # What changes it.

    @contextmanager
    def passing(self, symbol: str) -> Iterator[None]:
        """Halt a symbol while the block runs."""
        self._passing[symbol] += 1
        self._close()
        try:
            yield
        finally:
            self._passing[symbol] -= 1
            if not self._passing[symbol]:
                del self._passing[symbol]

    def check(self, asked: HaltRecord) -> None:
        """Raise what is wrong with a halt that is asked for.

        Raises:
            InvalidRequest: Its fields are out of their bounds, or its id is in use for another one.
        """
        if not client_order_id.is_valid(asked.halt_id):
            raise InvalidRequest(f"halt_id {asked.halt_id[:40]!r}: expected 1 to 32 letters and digits")
        check_ttl(asked.ttl_ms, zero="for one that stands until it is lifted")
        if len(asked.reason) > LONGEST_REASON or not asked.reason.isprintable():
            raise InvalidRequest(f"reason: expected at most {LONGEST_REASON} printable characters")
        known = self._halts.get(asked.halt_id)
        if known is None:
            if len(self._halts) >= MOST_HALTS:
                raise InvalidRequest(f"{MOST_HALTS} halts stand; lift some of them first")
        elif (known.record.client, known.record.symbol) != (asked.client, asked.symbol):
            raise InvalidRequest(
                f"halt_id {asked.halt_id}: in use for a halt of another client or symbol; take a new one"
            )

    def put(self, asked: HaltRecord) -> HaltRecord:
        """Halt trading; one of this id that stands keeps its beginning and lasts its new time from now."""
        known = self._halts.get(asked.halt_id)
        record = asked if known is None else replace(asked, since_ms=known.record.since_ms)
        self._halts[asked.halt_id] = _ActiveHalt(record, _length_s(record))
        self._close()
        return record

    def restore(self, records: Iterable[HaltRecord]) -> None:
        """Take over an earlier run's halts; one with a time lasts the whole of it anew."""
        for record in records:
            self._halts[record.halt_id] = _ActiveHalt(record, _length_s(record))

    def lift(self, halt_id: str) -> None:
        """End a halt. Idempotent."""
        self._halts.pop(halt_id, None)

    def pass_time(self, seconds: float) -> list[HaltRecord]:
        """Let time pass, and return the halts that end by it."""
        ended = []
        for halt in list(self._halts.values()):
            halt.left_s -= seconds
            if halt.left_s <= 0:
                del self._halts[halt.record.halt_id]
                ended.append(halt.record)
        return ended

    def find(self, halt_id: str) -> HaltRecord | None:
        """Return the halt of an id, None when none stands."""
        halt = self._halts.get(halt_id)
        return None if halt is None else halt.record

    def standing(self) -> list[tuple[HaltRecord, float]]:
        """Return every halt, oldest first, with the seconds that it still lasts; infinite until it is lifted."""
        return [(halt.record, halt.left_s) for halt in self._halts.values()]

    def _close(self) -> None:
        for closed in list(self._watchers.values()):
            closed()


def _length_s(record: HaltRecord) -> float:
    return record.ttl_ms / 1000 if record.ttl_ms else inf


def _refusal(halt: _ActiveHalt, symbol: str) -> TradingHalted:
    record = halt.record
    where = f"trading of {record.symbol}" if record.symbol else "trading"
    why = f": {record.reason}" if record.reason else ""
    text = f"{where} is halted by {record.client} ({record.halt_id}){why}"
    if record.ttl_ms:
        return TradingHalted(text, symbol=symbol, retry_after_s=_SOON_S)
    return TradingHalted(f"{text}; `opensqt resume` lifts it", symbol=symbol, retry_after_s=_LATER_S)
