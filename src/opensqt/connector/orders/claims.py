"""Who may trade a symbol by a strategy, and the number that keeps everybody else out. No I/O and no clock.

A claim is held by one program at a time. Each change of the holder raises its number, and an order that carries a lower
one is refused: a program that stood still while another one took over can't trade any more when it wakes up (a fencing
token).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from opensqt.connector.orders.elapsed import check_ttl
from opensqt.connector.orders.journal import ClaimRecord
from opensqt.model.errors import InvalidRequest, TradingClaimed
from opensqt.model.venue import ClaimRequest

MOST_CLAIMS = 1_000
_STRATEGY = re.compile(r"[A-Za-z0-9]{1,8}")
_LONGEST_TEXT = 64
Key = tuple[str, str]


@dataclass(slots=True)
class _Claim:
    record: ClaimRecord
    left_s: float

    @property
    def held(self) -> bool:
        return self.left_s > 0


class Claims:
    """The claims of one account. One that ran out or was given up stays, for its number goes on."""

    def __init__(self) -> None:
        self._claims: dict[Key, _Claim] = {}

    @property
    def held(self) -> list[tuple[ClaimRecord, float]]:
        """The claims that are held, each with the seconds that it still lasts."""
        return [(claim.record, claim.left_s) for claim in self._claims.values() if claim.held]

    def restore(self, records: Iterable[ClaimRecord]) -> None:
        """Take over an earlier run's claims; each that was held lasts its whole time anew."""
        for one in records:
            self._claims[one.symbol, one.strategy] = _Claim(one, one.ttl_ms / 1000)

    def take(self, asked: ClaimRequest, client: str, *, ttl_ms: int, now_ms: int) -> ClaimRecord:
        """Take, renew or give up a claim, and return it.

        Args:
            asked: The claim.
            client: Who asks.
            ttl_ms: How long it lasts from now; 0 gives it up.
            now_ms: UTC epoch milliseconds.

        Raises:
            InvalidRequest: A field is out of its bounds.
            TradingClaimed: Another program holds it, or did since this one held it.
        """
        _check(asked, ttl_ms)
        key = asked.symbol, asked.strategy
        known = self._claims.get(key)
        self._refuse_overlap(asked)
        if known is not None and not self._may_have(known, asked, client):
            raise TradingClaimed(_held_by(known), symbol=asked.symbol)
        if known is None and len(self._claims) >= MOST_CLAIMS:
            raise InvalidRequest(f"{MOST_CLAIMS} claims are known; take the strategies of one of them")
        number, since_ms = (known.record.number, known.record.since_ms) if known is not None else (0, now_ms)
        if known is None or not asked.number:
            # Whoever names the number renews: only its holder may. Anybody else, a restart included, gets the next one.
            number, since_ms = number + 1, now_ms
        record = ClaimRecord(
            symbol=asked.symbol,
            strategy=asked.strategy,
            client=client,
            holder=asked.holder,
            description=asked.description,
            number=number,
            ttl_ms=ttl_ms,
            since_ms=since_ms,
        )
        self._claims[key] = _Claim(record, ttl_ms / 1000)
        return record

    def refusal(self, symbol: str, client_order_id: str, number: int, client: str) -> TradingClaimed | None:
        """Return why an order may not be sent, None when it may.

        Args:
            symbol: Of the order.
            client_order_id: Of the order; the strategy is its beginning.
            number: The claim that it is sent under; 0 for none.
            client: Who sends it.
        """
        for claim in self._claims.values():
            if not claim.record.includes(symbol, client_order_id):
                continue
            if claim.held and (number, client) == (claim.record.number, claim.record.client):
                return None
            if claim.held or number:
                return TradingClaimed(_held_by(claim), symbol=symbol)
        return None

    def pass_time(self, seconds: float) -> list[ClaimRecord]:
        """Let time pass, and return the claims that end by it."""
        ended: list[ClaimRecord] = []
        for claim in self._claims.values():
            if claim.held:
                claim.left_s -= seconds
                if not claim.held:
                    claim.record = replace(claim.record, ttl_ms=0)
                    ended.append(claim.record)
        return ended

    def _may_have(self, known: _Claim, asked: ClaimRequest, client: str) -> bool:
        if asked.number:
            # Whoever names a number had it: it is the newest, or another program has had the claim since.
            return asked.number == known.record.number and _is_holder(known, asked, client)
        return not known.held or asked.take_over or _is_holder(known, asked, client)

    def _refuse_overlap(self, asked: ClaimRequest) -> None:
        """Refuse a strategy whose orders would be those of another one, too."""
        for (symbol, strategy), claim in self._claims.items():
            if symbol != asked.symbol or strategy == asked.strategy or not claim.held:
                continue
            if strategy.startswith(asked.strategy) or asked.strategy.startswith(strategy):
                raise TradingClaimed(_held_by(claim), symbol=symbol)


def _check(asked: ClaimRequest, ttl_ms: int) -> None:
    check_ttl(ttl_ms, zero="to give the claim up")
    if not ttl_ms and not asked.number:
        raise InvalidRequest("claim.number 0: expected the number of the claim that is given up")
    if not _STRATEGY.fullmatch(asked.strategy):
        raise InvalidRequest(f"claim.strategy {asked.strategy[:40]!r}: expected 1 to 8 letters and digits")
    for name, text in (("holder", asked.holder), ("description", asked.description)):
        if len(text) > _LONGEST_TEXT or not text.isprintable():
            raise InvalidRequest(f"claim.{name}: expected at most {_LONGEST_TEXT} printable characters")
    if not asked.holder:
        raise InvalidRequest("claim.holder: expected what identifies this program, also after a restart")


def _is_holder(known: _Claim, asked: ClaimRequest, client: str) -> bool:
    return (known.record.client, known.record.holder) == (client, asked.holder)


def _held_by(claim: _Claim) -> str:
    record = claim.record
    who = f"{record.description} (client {record.client}, number {record.number})"
    what = f"{record.symbol} by strategy {record.strategy}"
    if not claim.held:
        return f"{what} was last traded by {who}, whose claim ended; claim it anew"
    return f"{what} is traded by {who}, for {claim.left_s:.0f} s at least; stop it, or take over"
