"""The reference price: what book, last trade and mark price agree on. Without agreement the grid holds its quotes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from decimal import Decimal

from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.inputs import MarkUpdate, PriceInput
from opensqt.market_maker.strategy.own_orders import OwnOrders
from opensqt.market_maker.strategy.price_inputs import InputName, PriceInputs
from opensqt.market_maker.strategy.quoter import MarketState
from opensqt.model.order import Side
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.price")

REPORT_AFTER_S = 5.0
"""A hold that lasts longer is a problem of /health."""
REFUSED_FOR_S = 60.0
"""A refused input is a problem of /health for this long."""
FIRST_WAIT_S = 10.0
"""The first price waits this long for the inputs that the venue has, before it is made of what is there."""
EVERY_S = 0.25
"""Seconds after which the inputs are compared again without a new one, because they grow old."""
LOG_EVERY_S = 5.0
"""Holds that follow each other faster are logged once."""
BASIS_PER_S = Decimal("0.00002")
"""The usual distance of the market from the mark price is learned by this share of the price a second, at most."""

_ONE = Decimal(1)
_NONE = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSettings:
    """The limits within which the inputs agree. Distances are shares of the price, times seconds."""

    max_spread: Decimal = Decimal("0.005")
    max_jump: Decimal = Decimal("0.01")
    """Largest change within `jump_s` that is believed at once."""
    jump_s: float = 1.0
    confirm_s: float = 2.0
    """How long the inputs have to agree on a larger change."""
    max_mark_distance: Decimal = Decimal("0.01")
    """Largest distance of book and last trade from the mark price, or from each other where there is no mark."""
    book_max_age_s: float = 15.0
    trade_max_age_s: float = 10.0
    mark_max_age_s: float = 10.0
    exits_after_s: float = 30.0
    """Exits at their level's own price are laid without regard to the inputs when these have disagreed for so long."""
    min_spread: Decimal = _NONE
    """Smallest distance of a new entry from the reference price."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A time without agreement."""

    reason: str
    since: float
    """Monotonic seconds."""


class PriceGuard:
    """Makes the reference price of one symbol.

    Args:
        symbol: Inputs of another one are refused.
        settings: The limits.
        expected: The inputs that the venue has.
        real_time: See `PriceInputs`.
        now: Monotonic seconds; every later `now` is of the same clock.
    """

    def __init__(
        self,
        symbol: str,
        settings: ReferenceSettings,
        *,
        expected: frozenset[InputName],
        real_time: bool,
        now: float,
    ) -> None:
        self.settings = settings
        self.data = PriceInputs(symbol, real_time=real_time)
        self.market: MarketState | None = None
        """The market as of the last agreement; None before the first."""
        self.hold: Hold | None = None
        self.holds = 0
        """Holds since the start."""
        self.missing: tuple[InputName, ...] = ()
        """Inputs that the venue has and that are not fresh."""
        self.informed_at = float("-inf")
        """Receipt of the newest inputs that were enough for a price, whether they agreed or not."""
        self._expected = expected
        self._accepted: deque[tuple[float, Decimal]] = deque()
        self._recent: deque[tuple[float, Decimal]] = deque()
        self._jump: tuple[float, Decimal] | None = None
        self._basis = _NONE
        self._basis_at = now
        self._first_informed_at: float | None = None
        self._due = now
        self._newer = False
        self._logged_at = float("-inf")
        self._logged = False

    def change(self, settings: ReferenceSettings) -> None:
        """Take over other limits."""
        self.settings = settings
        if self.market is not None:
            self.market = replace(self.market, entry_distance=settings.min_spread * self.market.reference)

    def take(self, event: PriceInput, now: float) -> None:
        """Take in a price input; `update` compares it with the others."""
        first = not self.data.refused
        if self.data.take(event, now):
            self._due, self._newer = now, True
        elif first or now - self._logged_at > LOG_EVERY_S:
            self._logged_at = now
            _log.warning("price input refused", reason=self.data.refused_last, refused=self.data.refused.total())
        if isinstance(event, MarkUpdate) and self.market is not None and self.data.mark is not None:
            mark = self.data.mark
            self.market = replace(
                self.market, funding_rate=mark.funding_rate, next_funding_ms=mark.next_funding_ms or None
            )

    def update(self, own: OwnOrders, level: Decimal, now: float) -> bool:
        """Compare the newest inputs, and move the reference price if they agree.

        Args:
            own: Our orders in the book.
            level: Distance of two levels, quote.
            now: Monotonic seconds.

        Returns:
            Whether there is a newer price.
        """
        if now < self._due:
            return False
        self._due = now + EVERY_S
        own.expire(now)
        reason = self._compare(own, level, now)
        if reason and self.hold is None:
            self._begin_hold(reason, now)
        elif reason and self.hold is not None:
            self.hold = replace(self.hold, reason=reason)
        elif self.hold is not None:
            self._end_hold(self.hold, now)
        newer, self._newer = self._newer and not reason, False
        return newer

    def fresh_mark(self, now: float) -> Decimal | None:
        """Return the mark price, whether the other inputs agree or not; None without a fresh one."""
        data = self.data
        return data.mark.mark if data.mark and now - data.mark_at <= self.settings.mark_max_age_s else None

    def usual_mark(self, now: float) -> Decimal | None:
        """Return the market's price by the mark price and its usual distance from it; None without a fresh one."""
        mark = self.fresh_mark(now)
        return None if mark is None else mark + self._basis

    def limits(self, grid: Grid) -> tuple[object, ...]:
        """Return a value that changes whenever the limits of the price could change the orders of a grid."""
        market, below = self.market, grid.level_below
        if market is None:
            return ()
        limits = (self.hold is not None, below(market.buy_limit), below(market.sell_limit))
        if not market.entry_distance:
            return limits
        return (*limits, below(market.entry_limit(Side.BUY)), below(market.entry_limit(Side.SELL)))

    def problems(self, now: float) -> list[str]:
        """Return what keeps the price from being trusted for longer than a moment."""
        found = []
        if self.hold is not None and self.market is not None and now - self.hold.since > REPORT_AFTER_S:
            found.append(
                f"price held for {now - self.hold.since:.0f} s: {self.hold.reason}; no entry is laid and the"
                " quotes stay where they are until the inputs agree, see trading.price_guard; exits are laid at their"
                " level's own price"
            )
        if now - self.data.refused_at <= REFUSED_FOR_S:
            count, last = self.data.refused.total(), self.data.refused_last
            found.append(f"price inputs refused, {count} so far, the last for {last}")
        return found

    def _compare(self, own: OwnOrders, level: Decimal, now: float) -> str:
        """Move the reference price, or return why the inputs don't allow it."""
        settings, data = self.settings, self.data
        quote = data.quote(own)
        if quote is not None and now - quote[2] > settings.book_max_age_s:
            quote = None
        trade = data.trade.price if data.trade and now - data.trade_at <= settings.trade_max_age_s else None
        mark = self.fresh_mark(now)
        if self._expected:
            self._note_missing(book=quote is not None, trade=trade is not None, mark=mark is not None)
        if quote is None and (trade is None or mark is None):
            return self._not_agreed(f"no {', no '.join(self.missing)}" if self.missing else "no price was received yet")
        bid, ask, self.informed_at = quote or (trade, trade, min(data.trade_at, data.mark_at))
        if bid is None or ask is None:
            sides = "asks" if bid is not None else "bids" if ask is not None else "bids and asks"
            return self._not_agreed(f"no {sides} in the book but our own")
        mid = (bid + ask) / 2 if quote is not None else None
        if ask - bid > settings.max_spread * bid:
            return self._not_agreed(
                f"the spread of {_percent((ask - bid) / bid)} is above max_spread ({_percent(settings.max_spread)})"
            )
        if mid is not None and trade is None and mark is None:
            price, known = mid, 1
        elif apart := _apart(mid, trade, mark, settings.max_mark_distance):
            return self._not_agreed(apart)
        else:
            values = [value for value in (mid, trade, mark) if value is not None]
            price, known = _middle(values, mid), len(values)
        if self.market is None and self._waits_for_more(known, now):
            return f"waiting for {', '.join(self.missing)} before the first price"
        jump = self._unconfirmed_jump(price, now)
        if jump:
            return jump
        self._accept(price, bid, ask, mark, level, now)
        return ""

    def _accept(
        self, price: Decimal, bid: Decimal, ask: Decimal, mark: Decimal | None, level: Decimal, now: float
    ) -> None:
        settings, known = self.settings, self.data.mark
        self._jump = None
        self._accepted.append((now, price))
        self._recent.append((now, price))
        _forget(self._recent, now - settings.confirm_s)
        if mark is not None:
            self._learn_basis(price - mark, price, now)
            lowest = highest = mark + self._basis
        else:
            # Nothing outside the book vouches for a move, so an entry waits until the move has lasted.
            lowest = highest = price
            for _, value in self._recent:
                if value < lowest:
                    lowest = value
                elif value > highest:
                    highest = value
        highest_buy, lowest_sell = lowest + level, highest - level
        self.market = MarketState(
            bid=bid,
            ask=ask,
            reference=price,
            mark=mark,
            highest_buy=highest_buy if highest_buy < price else price,
            lowest_sell=lowest_sell if lowest_sell > price else price,
            entry_distance=settings.min_spread * price if settings.min_spread else _NONE,
            funding_rate=known.funding_rate if known is not None else None,
            next_funding_ms=(known.next_funding_ms or None) if known is not None else None,
        )

    def _learn_basis(self, distance: Decimal, price: Decimal, now: float) -> None:
        """Follow the usual distance of the market from the mark, slowly: a disturbance hardly moves it."""
        step = BASIS_PER_S * price * Decimal(min(1.0, now - self._basis_at))
        self._basis_at = now
        self._basis += max(-step, min(step, distance - self._basis))

    def _waits_for_more(self, fresh: int, now: float) -> bool:
        if self._first_informed_at is None:
            self._first_informed_at = now
        wanted = InputName.MARK in self.missing or (fresh < 2 and bool(self.missing))
        return wanted and now - self._first_informed_at < FIRST_WAIT_S

    def _unconfirmed_jump(self, price: Decimal, now: float) -> str:
        """Return what is to be said of a jump that is not confirmed yet; empty when the price may be taken."""
        if not self._accepted:
            return ""
        settings = self.settings
        _forget(self._accepted, now - settings.jump_s)
        before = self._accepted[0][1]
        if abs(price - before) <= settings.max_jump * before:
            self._jump = None
            return ""
        if self._jump is None or abs(price / self._jump[1] - _ONE) > settings.max_jump:
            self._jump = (now, price)
        if now - self._jump[0] >= settings.confirm_s:
            self._accepted.clear()
            self._recent.clear()
            return ""
        jump = _percent(abs(price / before - _ONE))
        return (
            f"a jump of {jump} to {_plain(price)} is above max_jump ({_percent(settings.max_jump)});"
            f" it is believed when the inputs have agreed on it for {settings.confirm_s:g} s"
        )

    def _not_agreed(self, reason: str) -> str:
        self._jump = None
        return reason

    def _note_missing(self, *, book: bool, trade: bool, mark: bool) -> None:
        inputs = ((InputName.BOOK, book), (InputName.TRADE, trade), (InputName.MARK, mark))
        missing = tuple(name for name, fresh in inputs if not fresh and name in self._expected)
        if missing != self.missing:
            self.missing = missing
            # Trades come and go in a quiet market.
            if self.market is not None and set(missing) - {InputName.TRADE}:
                _log.warning("price inputs are missing", missing=", ".join(missing))

    def _begin_hold(self, reason: str, now: float) -> None:
        self.hold = Hold(reason, now)
        if self.market is None:
            return
        self.holds += 1
        self._logged = now - self._logged_at > LOG_EVERY_S
        if self._logged:
            self._logged_at = now
            _log.warning("price held: the quotes stay where they are", reason=reason, holds=self.holds)

    def _end_hold(self, hold: Hold, now: float) -> None:
        self.hold = None
        if self._logged and self.market is not None:
            price = _plain(self.market.reference)
            _log.info("price is trusted again", price=price, held_s=round(now - hold.since, 3), reason=hold.reason)
        self._logged = False


def _apart(mid: Decimal | None, trade: Decimal | None, mark: Decimal | None, limit: Decimal) -> str:
    """Return which two inputs are too far apart; empty when none are."""
    if trade is None and mark is None:
        return ""
    named = [("book", mid), ("last trade", trade)]
    base_name, base = ("mark price", mark) if mark is not None else named.pop(0)
    for name, price in named:
        if price is not None and base is not None and abs(price / base - _ONE) > limit:
            distance = _percent(abs(price / base - _ONE))
            return (
                f"the {name} ({_plain(price)}) is {distance} from the {base_name} ({_plain(base)}),"
                f" more than max_mark_distance ({_percent(limit)})"
            )
    return ""


def _middle(values: list[Decimal], mid: Decimal | None) -> Decimal:
    """Return the middle one of three inputs; of fewer the book's, or half way between those that are left."""
    if len(values) == 3:
        return sorted(values)[1]
    return mid if mid is not None else sum(values, _NONE) / len(values)


def _forget(prices: deque[tuple[float, Decimal]], before: float) -> None:
    """Drop what is older than *before*, except the newest of that."""
    while len(prices) > 1 and prices[1][0] <= before:
        prices.popleft()


def _percent(share: Decimal) -> str:
    return f"{float(share) * 100:.2g} %"


def _plain(price: Decimal) -> str:
    return format(price.quantize(Decimal("1e-8")).normalize(), "f")
