"""The endpoints of Bitget's unified account: batches, settings and records, as the venue's pages describe them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest

from opensqt.model.account import PositionMode
from opensqt.model.order import Side
from opensqt.simulator.dialects.base import Call, ErrorReply
from opensqt.simulator.dialects.bitget import errors, parameters
from opensqt.simulator.dialects.bitget.unified import LIST_BODIES, UnifiedApi
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.order import Refused
from opensqt.simulator.settings import AccountSettings
from tests.unit.simulator.conftest import KEY, START_MS, Venue

FUTURES = {"category": "USDT-FUTURES", "symbol": "BTCUSDT"}
RECEIVED, PAID = "CONTRACT_MAIN_SETTLE_FEE_USER_IN", "CONTRACT_MAIN_SETTLE_FEE_USER_OUT"
Ask = Callable[..., Any]


class Served:
    """What the endpoints need of the dialect."""

    def __init__(self, engine: SimEngine) -> None:
        self.engine = engine

    def is_hidden(self, _order_id: str) -> bool:
        return False

    def check_item(self, _call: Call, _fields: Any) -> None:
        """Take every field: test_inputs.py proves what is refused."""

    def translate(self, refused: Refused) -> ErrorReply:
        return errors.of_reason(refused.reason)


def asking(venue: Venue) -> Ask:
    """Return a function that calls an endpoint by its path, with a list as its body or with parameters."""
    routes = {route.path: route for route in UnifiedApi(Served(venue.engine)).routes()}  # type: ignore[arg-type]

    def ask(path: str, sent: Any = None) -> Any:
        route = routes[f"/api/v3/{path}"]
        is_list = route.path in LIST_BODIES
        call = Call(route, {} if is_list else parameters.flat(sent or {}), "", orjson.dumps(sent).decode(), {}, "")
        call.account = KEY
        return route.handler(call)

    return ask


@pytest.fixture
def venue() -> Venue:
    return Venue(accounts=(AccountSettings(account_mode="unified"),))


@pytest.fixture
def ask(venue: Venue) -> Ask:
    return asking(venue)


def take(venue: Venue, quantity: str = "0.01", side: Side = Side.BUY) -> None:
    """Trade at once, with somebody who is there."""
    venue.outside(side.opposite, quantity, "45000")
    venue.place(side, quantity)


def order(name: str, **changes: str) -> dict[str, str]:
    return FUTURES | {
        "side": "buy",
        "orderType": "limit",
        "qty": "0.01",
        "price": "44000",
        "clientOid": name,
        **changes,
    }


def test_a_batch_has_a_result_for_each_order_in_their_order(venue: Venue, ask: Ask) -> None:
    """One bad item never hides the others."""
    bad = order("b", qty="0.0000001")
    found = ask("trade/place-batch", [order("a"), bad, order("c", side="sell", price="46000")])
    assert [row["clientOid"] for row in found] == ["a", "b", "c"]
    assert [row.get("code") for row in found] == [None, "40808", None]
    placed = venue.engine.open_orders(KEY)
    assert [(one.client_order_id, one.order_id) for one in placed] == [
        (row["clientOid"], row["orderId"]) for row in (found[0], found[2])
    ]


def test_a_batch_takes_no_reduce_only_order(venue: Venue, ask: Ask) -> None:
    """As the page says."""
    take(venue)
    (row,) = ask("trade/place-batch", [order("a", side="sell", reduceOnly="yes")])
    assert row["code"] == "25240"
    assert venue.engine.open_orders(KEY) == []


@pytest.mark.parametrize("body", [{}, [1], "x", None])
def test_a_batch_is_a_list_of_objects(ask: Ask, body: Any) -> None:
    with pytest.raises(ErrorReply, match="40017"):
        ask("trade/place-batch", body)


def test_a_batch_has_one_to_twenty_orders(ask: Ask) -> None:
    with pytest.raises(ErrorReply, match="40019"):
        ask("trade/place-batch", [])
    with pytest.raises(ErrorReply, match="up to 20"):
        ask("trade/place-batch", [order(f"a{number}") for number in range(21)])


def test_a_batch_of_cancels_succeeds_in_part(venue: Venue, ask: Ask) -> None:
    ask("trade/place-batch", [order("a"), order("b")])
    found = ask("trade/cancel-batch", [FUTURES | {"clientOid": "a"}, FUTURES | {"clientOid": "nope"}])
    assert [row.get("code") for row in found] == [None, "25204"]
    assert [one.client_order_id for one in venue.engine.open_orders(KEY)] == ["b"]


def test_closed_orders_are_listed_newest_first(venue: Venue, ask: Ask) -> None:
    ask("trade/place-batch", [order("a"), order("b"), order("c")])
    ask("trade/cancel-batch", [FUTURES | {"clientOid": name} for name in ("a", "c")])
    found = ask("trade/history-orders", FUTURES)
    assert [(row["clientOid"], row["orderStatus"]) for row in found["list"]] == [("c", "cancelled"), ("a", "cancelled")]
    page = ask("trade/history-orders", FUTURES | {"limit": "1"})
    rest = ask("trade/history-orders", FUTURES | {"cursor": page["cursor"]})
    assert [row["clientOid"] for row in (*page["list"], *rest["list"])] == ["c", "a"]


# Settings


def test_the_settings_list_the_symbols_whose_leverage_was_set(ask: Ask) -> None:
    """The documents' sample has eight of hundreds."""
    assert ask("account/settings")["symbolConfigList"] == []
    assert ask("account/set-leverage", FUTURES | {"leverage": "7"}) == "success"
    (row,) = ask("account/settings")["symbolConfigList"]
    assert row == FUTURES | {"marginMode": "crossed", "leverage": "7"}


def test_leverage_changes_with_a_position_and_an_order_open(venue: Venue, ask: Ask) -> None:
    take(venue)
    venue.buy("0.01", "44000")
    ask("account/set-leverage", FUTURES | {"leverage": "7"})
    assert venue.engine.leverage(KEY, "BTCUSDT") == 7


def test_a_leverage_that_no_symbol_has_is_refused(ask: Ask) -> None:
    with pytest.raises(ErrorReply, match="25223"):
        ask("account/set-leverage", FUTURES | {"leverage": "100000"})


def test_a_leverage_for_which_the_margin_would_not_do_is_refused(venue: Venue, ask: Ask) -> None:
    ask("account/set-leverage", FUTURES | {"leverage": "20"})
    take(venue, "2")
    with pytest.raises(ErrorReply, match="25228"):
        ask("account/set-leverage", FUTURES | {"leverage": "1"})


@pytest.mark.parametrize(
    ("open_one", "code"),
    [(take, "25107"), (lambda venue: venue.buy("0.01", "44000"), "25570")],
    ids=["position", "order"],
)
def test_the_position_mode_is_kept_while_something_is_open(
    venue: Venue, ask: Ask, open_one: Callable[[Venue], object], code: str
) -> None:
    """F20: the mode never switches with a position or an order open."""
    open_one(venue)
    with pytest.raises(ErrorReply, match=code):
        ask("account/set-hold-mode", {"holdMode": "hedge_mode"})
    assert ask("account/settings")["holdMode"] == "one_way_mode"
    assert ask("account/set-hold-mode", {"holdMode": "one_way_mode"}) == "success"


def test_the_position_mode_is_set_with_nothing_open(venue: Venue, ask: Ask) -> None:
    assert ask("account/set-hold-mode", {"holdMode": "hedge_mode"}) == "success"
    assert venue.engine.position_mode(KEY) is PositionMode.HEDGE
    assert ask("account/settings")["holdMode"] == "hedge_mode"


# Records


def funded(venue: Venue, *rates: str) -> None:
    for rate in rates:
        venue.engine.set_funding_rate("BTCUSDT", Decimal(rate))
        venue.engine.pay_funding()


def records(ask: Ask, **query: str) -> list[dict[str, str]]:
    return list(ask("account/financial-records", {"category": "USDT-FUTURES"} | query)["list"])


def test_a_payment_is_a_record_with_its_direction_and_an_id_of_its_own(venue: Venue, ask: Ask) -> None:
    take(venue)
    funded(venue, "0.001", "-0.001")
    received, paid = records(ask, type=RECEIVED), records(ask, type=PAID)
    amounts = [Decimal(row["amount"]) for row in (*received, *paid)]
    assert (len(received), len(paid), amounts[0] > 0, sum(amounts)) == (1, 1, True, 0)
    before = {row["id"] for row in (*received, *paid)}
    assert len(before) == 2
    take(venue, side=Side.SELL)
    assert before < {row["id"] for row in records(ask)}


def test_each_fill_is_a_record_too(venue: Venue, ask: Ask) -> None:
    take(venue)
    funded(venue, "0.001")
    assert [row["type"] for row in records(ask)] == [PAID, "BUY_DEAL"]
    assert [row["type"] for row in records(ask, type="BUY_DEAL", coin="USDT")] == ["BUY_DEAL"]
    assert records(ask, coin="BGB") == []


def test_a_type_of_records_that_is_not_known_is_refused(ask: Ask) -> None:
    with pytest.raises(ErrorReply, match="40034"):
        records(ask, type="DANCE")


def test_records_are_paged_by_the_smallest_id(venue: Venue, ask: Ask) -> None:
    take(venue)
    funded(venue, *["0.001"] * 5)
    query = {"category": "USDT-FUTURES", "type": PAID, "limit": "2"}
    seen: list[str] = []
    page = ask("account/financial-records", query)
    while page["list"]:
        seen += [row["id"] for row in page["list"]]
        page = ask("account/financial-records", query | {"cursor": page["cursor"]})
    assert len(seen) == 5
    assert seen == sorted(seen, key=int, reverse=True)


def test_records_are_asked_for_thirty_days_at_a_time(venue: Venue, ask: Ask) -> None:
    month_ms = 30 * 86_400_000
    take(venue)
    window = {"startTime": str(START_MS), "endTime": str(START_MS + month_ms)}
    assert len(records(ask, **window)) == 1
    assert records(ask, **window | {"startTime": str(START_MS + 1)}) == []
    with pytest.raises(ErrorReply, match="40705"):
        records(ask, **window | {"endTime": str(START_MS + month_ms + 1)})
