"""Funding payments of Bitget's unified account: its financial records, and what its stream shows of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.account import Position, PositionMode
from opensqt.model.errors import InvalidRequest, UnknownSymbol
from opensqt.venues.bitget.adapter import BitgetAdapter
from opensqt.venues.bitget.unified.funding import parse_funding_payment
from opensqt.venues.events import FundingAnnounced
from opensqt.venues.rows import RowError
from tests.unit.venues.bitget.test_unified import ENDED, Rest, frame, unified

DAY_MS = 86_400_000
RECORDS = "privateUtaGetV3AccountFinancialRecords"
RECEIVED, PAID = "CONTRACT_MAIN_SETTLE_FEE_USER_IN", "CONTRACT_MAIN_SETTLE_FEE_USER_OUT"
RECORD: dict[str, Any] = {
    "category": "USDT-FUTURES", "id": "13111111111111111", "symbol": "BTCUSDT", "coin": "USDT", "type": PAID,
    "positionType": "crossed", "positionAmount": "0", "positionBalance": "0", "amount": "-0.00531168", "fee": "0",
    "balance": "55.10017801", "ts": "1745853486185",
}  # fmt: skip
HELD = ENDED | {"size": "0.002", "avgPrice": "94000", "positionStatus": "opening"}


class Records(Rest):
    """The venue with records; it refuses types that it does not know."""

    records: dict[str, list[dict[str, Any]]]
    refused: frozenset[str] = frozenset()
    error: Exception

    async def send(self, endpoint: str, params: Any = None, **more: Any) -> Any:
        if endpoint != RECORDS:
            return await super().send(endpoint, params, **more)
        self.asked.append((endpoint, dict(params)))
        if params["type"] in self.refused:
            raise self.error
        rows = self.records.get(params["type"], [])
        start, end = int(params.get("startTime", 0)), int(params.get("endTime", 10**15))
        below = int(params.get("cursor", 10**20))
        page = [row for row in rows if start <= int(row["ts"]) <= end and int(row["id"]) < below][:100]
        return {"data": {"list": page, "cursor": page[-1]["id"] if page else ""}}


async def account(**records: list[dict[str, Any]]) -> tuple[BitgetAdapter, Records]:
    rest = Records()
    rest.records = records
    venue, _ = await unified(PositionMode.ONE_WAY, rest=rest)
    return venue, rest


@pytest.mark.parametrize(
    ("kind", "amount", "found"),
    [
        (RECEIVED, "0.4749", "0.4749"),
        (PAID, "-0.4749", "-0.4749"),
        (PAID, "0.4749", "-0.4749"),
        ("FIXED_SETTLE_FEE_USER_OUT", "-1", "-1"),
        ("RWA_CONTRACT_MAIN_SETTLE_FEE_USER_IN", "1", "1"),
    ],
)
def test_the_type_of_a_record_says_who_paid(kind: str, amount: str, found: str) -> None:
    """Sources contradict each other on the sign of an amount that was paid."""
    payment = parse_funding_payment(RECORD | {"type": kind, "amount": amount}, "BTCUSDT")
    assert (payment.symbol, payment.amount, payment.asset) == ("BTCUSDT", Decimal(found), "USDT")
    assert (payment.payment_id, payment.event_time_ms) == ("13111111111111111", 1745853486185)
    assert (payment.rate, payment.position_size) == (None, None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"type": RECEIVED}, "below zero"),
        ({"type": "OPEN_LONG"}, "type 'OPEN_LONG'"),
        ({"type": "RWA_CONTRACT_MAIN_SETTLE_FEE_SYSTEM_IN", "amount": "1"}, "expected a settled funding fee"),
        ({"amount": "0", "positionType": "isolated"}, "amount 0"),
        ({"amount": ""}, "amount"),
        ({"id": None}, "id"),
        ({"ts": "soon"}, "ts"),
        ({"coin": ""}, "coin"),
    ],
)
def test_a_record_that_is_no_payment_is_an_error_and_not_a_payment_of_nothing(
    changes: dict[str, Any], sentence: str
) -> None:
    """F25: it is set aside and reported."""
    with pytest.raises(RowError, match=sentence):
        parse_funding_payment(RECORD | changes, "BTCUSDT")


async def test_payments_of_every_type_are_listed_oldest_first_and_each_once() -> None:
    received = RECORD | {"id": "2", "type": RECEIVED, "amount": "0.5", "ts": "1745853486186"}
    isolated = RECORD | {"id": "3", "type": "FIXED_SETTLE_FEE_USER_OUT", "ts": "1745853486180"}
    venue, rest = await account(
        **{PAID: [RECORD, RECORD], RECEIVED: [received], "FIXED_SETTLE_FEE_USER_OUT": [isolated]}
    )
    found = await venue.funding_payments("", 0)
    assert [payment.payment_id for payment in found] == ["3", "13111111111111111", "2"]
    assert all(asked["category"] == "USDT-FUTURES" and asked["limit"] == "100" for asked in rest.sent(RECORDS))
    assert await venue.funding_payments("ETHUSDT", 0) == []


async def test_a_long_time_is_asked_for_month_by_month_and_page_by_page() -> None:
    """The venue keeps ninety days, and shows thirty at a time, a hundred rows in a page."""
    now_ms = int(RECORD["ts"]) + 10
    rows = [RECORD | {"id": str(number), "ts": str(now_ms - 50 * DAY_MS - number)} for number in range(250, 0, -1)]
    venue, rest = await account(**{PAID: rows})
    venue.observe_market_time(now_ms)
    found = await venue.funding_payments("", now_ms - 60 * DAY_MS)
    assert len(found) == 250
    asked = [params for params in rest.sent(RECORDS) if params["type"] == PAID]
    spans = {(int(params["startTime"]), int(params["endTime"])) for params in asked}
    assert all(end - start < 30 * DAY_MS for start, end in spans)
    assert (min(start for start, _ in spans), max(end for _, end in spans) >= now_ms) == (now_ms - 60 * DAY_MS, True)
    assert [params.get("cursor") for params in asked[:4]] == [None, "151", "51", None]


@pytest.mark.parametrize(
    "error", [UnknownSymbol("Parameter does not exist", venue_code="40034"), InvalidRequest("no", venue_code="40020")]
)
async def test_a_type_that_the_venue_does_not_know_hides_no_other_and_is_not_asked_for_again(error: Exception) -> None:
    """Copies of its list of types differ."""
    venue, rest = await account(**{PAID: [RECORD]})
    rest.refused, rest.error = frozenset({"RWA_FIXED_SETTLE_FEE_USER_IN"}), error
    for _ in range(2):
        assert len(await venue.funding_payments("", 0)) == 1
    asked = [params["type"] for params in rest.sent(RECORDS)]
    assert (asked.count("RWA_FIXED_SETTLE_FEE_USER_IN"), asked.count("RWA_FIXED_SETTLE_FEE_USER_OUT")) == (1, 2)


async def test_a_refusal_of_the_common_type_is_an_error() -> None:
    """An account whose payments can't be listed has not had none."""
    venue, rest = await account()
    rest.refused, rest.error = frozenset({PAID}), InvalidRequest("no", venue_code="40020")
    with pytest.raises(InvalidRequest):
        await venue.funding_payments("", 0)


async def test_a_bad_record_hides_no_other_and_is_told() -> None:
    venue, _ = await account(**{PAID: [RECORD | {"id": "7", "amount": "much"}, RECORD]})
    assert [payment.payment_id for payment in await venue.funding_payments("", 0)] == ["13111111111111111"]
    assert [row.kind for row in venue.set_aside.rows("funding")] == ["funding"]


# The stream


async def announced(*frames: list[dict[str, Any]]) -> list[bool]:
    venue, _ = await unified()
    found = [list(venue.parse(frame("position", *rows)) or ()) for rows in frames]
    assert all(isinstance(one, Position | FundingAnnounced) for events in found for one in events)
    return [FundingAnnounced() in events for events in found]


async def test_a_change_of_a_positions_funding_announces_a_payment() -> None:
    """No frame has a payment itself."""
    paid, more = HELD | {"totalFundingFee": "-0.5"}, HELD | {"totalFundingFee": "-0.75"}
    assert await announced([HELD], [HELD], [paid], [paid], [more]) == [False, False, True, False, True]


async def test_a_position_that_is_new_or_ended_announces_none() -> None:
    held = HELD | {"totalFundingFee": "-0.5"}
    ended = ENDED | {"totalFundingFee": ""}
    assert await announced([held], [ended], [HELD], [ENDED], [HELD]) == [False] * 5


async def test_a_frame_has_the_positions_that_changed_and_the_others_stay_known() -> None:
    short = HELD | {"posSide": "short"}
    funded = short | {"totalFundingFee": "0.5"}
    assert await announced([HELD, short], [HELD], [funded]) == [False, False, True]


@pytest.mark.parametrize("value", [None, "", "much", [], {}])
async def test_a_funding_that_can_t_be_read_announces_none_and_hides_no_position(value: Any) -> None:
    venue, _ = await unified()
    list(venue.parse(frame("position", HELD)) or ())
    (position,) = venue.parse(frame("position", HELD | {"totalFundingFee": value})) or ()
    assert isinstance(position, Position)
