"""Orders over a WebSocket are the orders of REST: the same answers, ledger and events, and faults of their own."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import ServerRules
from tests.service.order_sockets import CLIENTS, Answer, Do, OrderClient, order_client
from tests.support import eventually

_TIMES = frozenset({"E", "ts", "creationTime", "time", "time_ms"})
"""Fields of an event with the time at which it was sent."""


@pytest.fixture(params=CLIENTS, ids=lambda kind: kind.__name__.lower())
def kind(request: pytest.FixtureRequest) -> type[OrderClient]:
    return request.param


UNPACED = ServerRules(weight_per_minute=6_000_000, orders_per_10s=1_000_000, messages_per_second=1000)


def script(client: Any, **fault: Any) -> None:
    client.simulator.faults.add(Fault.model_validate(fault))


def orders_of(client: Any) -> list[str]:
    """The client ids in the ledger, in the order in which they were placed."""
    return [order["client_order_id"] for order in client.simulator.ledger()["accounts"]["sim-key"]["orders"]]


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_times(below) for name, below in value.items() if name not in _TIMES}
    if isinstance(value, Answer):
        return Answer(value.code, without_times(value.content))
    return [without_times(below) for below in value] if isinstance(value, list) else value


Play = Callable[[Any, Do], Awaitable[list[Answer]]]
"""Trades with a client, and returns the answers."""


async def trade(kind: type[OrderClient], way: str, play: Play) -> tuple[list[Answer], Any, dict[str, list[Any]]]:
    """Play one way; return the answers, the ledger and the events."""
    async with order_client(kind, server=UNPACED) as client:
        stream = await client.events()
        await client.simulator.advance(0)
        await client.rest_of(stream)
        answers = await play(client, client.rest if way == "rest" else client.ask)
        ledger = {name: part for name, part in client.simulator.ledger().items() if name != "statistics"}
        await client.simulator.advance(0)
        events = client.rows(await client.rest_of(stream))
        return without_times(answers), ledger, without_times(events)


async def test_a_scenario_is_the_same_over_both_ways(kind: type[OrderClient]) -> None:
    """What REST and the WebSocket do to the account, answer and publish does not differ."""
    by_rest, by_socket = [await trade(kind, way, kind.scenario) for way in ("rest", "socket")]
    assert by_socket[0] == by_rest[0]
    assert by_socket[1] == by_rest[1]
    assert by_socket[2] == by_rest[2]
    assert sum(len(rows) for rows in by_rest[2].values()) > 5
    assert len([answer for answer in by_rest[0] if not answer.code]) >= len(by_rest[0]) / 2


def at_random(seed: int, steps: int = 40) -> Play:
    """Place, change and cancel orders that rest, cross, exist already, or never did; the same for the same seed."""

    async def play(client: Any, do: Do) -> list[Answer]:
        chance, answers = random.Random(seed), []
        for _ in range(steps):
            name, price = f"r{chance.randrange(12)}", client.bid - chance.randint(-30, 400)
            changed = client.repriced(name, price)
            operation = chance.choice(["place", "place", "cancel", *(["amend"] if changed else [])])
            fields = {"place": client.limit(price, name), "cancel": client.named(name), "amend": changed}
            answers.append(await do(operation, fields[operation]))
        return answers

    return play


async def _compare_at_random(kind: type[OrderClient], seed: int) -> None:
    by_rest, by_socket = [await trade(kind, way, at_random(seed)) for way in ("rest", "socket")]
    assert by_socket == by_rest
    codes = {answer.code for answer in by_rest[0]}
    assert "" in codes
    assert len(codes) > 1


async def test_random_trading_is_the_same_over_both_ways(kind: type[OrderClient]) -> None:
    await _compare_at_random(kind, 11)


@pytest.mark.large
@pytest.mark.parametrize("seed", range(20))
async def test_much_random_trading_is_the_same_over_both_ways(kind: type[OrderClient], seed: int) -> None:
    await _compare_at_random(kind, seed)


# Faults of answers


async def test_a_lost_request_does_nothing_and_is_not_answered(kind: type[OrderClient]) -> None:
    """F1: sent, and never received: the ledger has no such order."""
    async with order_client(kind) as client:
        script(client, kind="lose_request", on="place_order")
        await client.post("place", client.limit(client.bid - 100, "lost"))
        assert await client.rest_of() == []
        assert orders_of(client) == []
        assert (await client.ask("place", client.limit(client.bid - 100, "kept"))).code == ""


async def test_a_lost_answer_leaves_the_order_behind(kind: type[OrderClient]) -> None:
    """F1: taken, and the answer is lost while the connection stays open."""
    async with order_client(kind) as client:
        script(client, kind="lose_answer", on="place_order")
        await client.post("place", client.limit(client.bid - 100, "quiet"))
        assert [client.final(frame) for frame in await client.rest_of() if client.final(frame)] == []
        assert orders_of(client) == ["quiet"]
        assert (await client.ask("cancel", client.named("quiet"))).code == ""


async def test_drop_reply_does_it_and_cuts_the_connection(kind: type[OrderClient]) -> None:
    """F1: taken, and the connection is lost before the answer."""
    async with order_client(kind) as client:
        script(client, kind="drop_reply", on="place_order")
        await client.post("place", client.limit(client.bid - 100, "cut"))
        assert await client.end() == 1006
        assert orders_of(client) == ["cut"]


async def test_unreachable_cuts_the_connection_and_does_nothing(kind: type[OrderClient]) -> None:
    async with order_client(kind) as client:
        script(client, kind="unreachable", on="place_order")
        await client.post("place", client.limit(client.bid - 100, "none"))
        assert await client.end() == 1006
        assert orders_of(client) == []


async def test_answers_come_in_another_order(kind: type[OrderClient]) -> None:
    """An answer belongs to the request whose id it has, whatever came before it."""
    async with order_client(kind) as client:
        names = [f"n{number}" for number in range(6)]
        script(client, kind="reorder", channel="answers", window=6 * client.answers_to_place, times=0)
        for name in names:
            await client.post("place", client.limit(client.bid - 100, name), f"id{name}")
        frames = [await client.heard() for _ in range(6 * client.answers_to_place)]
        answers = [frame for frame in frames if client.final(frame)]
        heard = {client.number(frame): client.name_of(client.read(frame)) for frame in answers}
        assert heard == {f"id{name}": name for name in names}
        assert [client.number(frame) for frame in answers] != [f"id{name}" for name in names]
        assert orders_of(client) == names


async def test_an_answer_comes_with_the_id_of_no_request(kind: type[OrderClient]) -> None:
    async with order_client(kind) as client:
        script(client, kind="unknown_id", times=client.answers_to_place)
        await client.post("place", client.limit(client.bid - 100, "a"), "mine")
        frames = [await client.heard() for _ in range(client.answers_to_place)]
        assert {client.number(frame) for frame in frames} == {"987654321"}
        assert client.name_of(client.read(frames[-1])) == "a"
        assert orders_of(client) == ["a"]
        assert client.number(await client.send("cancel", client.named("a"), "next")) == "next"


async def test_an_answer_comes_without_an_id(kind: type[OrderClient]) -> None:
    async with order_client(kind) as client:
        script(client, kind="missing_id", times=client.answers_to_place)
        await client.post("place", client.limit(client.bid - 100, "a"), "mine")
        frames = [await client.heard() for _ in range(client.answers_to_place)]
        assert all(client.number(frame) is None for frame in frames)
        assert orders_of(client) == ["a"]


async def test_a_repeated_answer_is_one_order(kind: type[OrderClient]) -> None:
    async with order_client(kind) as client:
        script(client, kind="repeat", channel="answers", copies=3, times=client.answers_to_place)
        await client.post("place", client.limit(client.bid - 100, "a"), "mine")
        frames = [await client.heard() for _ in range(3 * client.answers_to_place)]
        assert len([frame for frame in frames if client.final(frame)]) == 3
        assert orders_of(client) == ["a"]


async def test_a_delayed_request_is_overtaken_by_the_next(kind: type[OrderClient]) -> None:
    """The venue handles requests in the order in which it has them, not in which they were sent."""
    async with order_client(kind) as client:
        script(client, kind="delay", on="place_order", delay_ms=800)
        await client.post("place", client.limit(client.bid - 100, "late"), "first")
        await client.post("place", client.limit(client.bid - 100, "early"), "second")
        finals = [
            frame for frame in [await client.heard() for _ in range(2 * client.answers_to_place)] if client.final(frame)
        ]
        assert [client.number(frame) for frame in finals] == ["second", "first"]
        assert orders_of(client) == ["early", "late"]


async def test_a_request_before_its_time_is_done_though_its_connection_is_gone(kind: type[OrderClient]) -> None:
    """F1: the venue took the request; that nobody waits for the answer does not undo it."""
    async with order_client(kind) as client:
        script(client, kind="delay", on="place_order", delay_ms=200)
        await client.post("place", client.limit(client.bid - 100, "gone"))
        await client.rest_of()
        await client.socket.close()
        await eventually(lambda: orders_of(client) == ["gone"])


async def test_a_venue_stops_with_a_request_in_its_delay(kind: type[OrderClient]) -> None:
    """What waits when the simulator stops is dropped, and holds nothing up."""
    async with order_client(kind) as client:
        script(client, kind="delay", on="place_order", delay_ms=600_000)
        await client.post("place", client.limit(client.bid - 100, "never"))
        await client.rest_of()
        assert client.simulator.faults.listing()[0]["hits"] == 1
    assert orders_of(client) == []


@pytest.mark.parametrize(("fault", "done"), [("error_before", 0), ("error_after", 1), ("timeout_unknown", 1)])
async def test_errors_are_the_venues_own(kind: type[OrderClient], fault: str, done: int) -> None:
    """F1: an error says by its code alone whether the order may exist."""
    async with order_client(kind) as client:
        script(client, kind=fault, on="place_order")
        by_socket = await client.ask("place", client.limit(client.bid - 100, "a"))
        assert len(orders_of(client)) == done
        script(client, kind=fault, on="place_order")
        by_rest = await client.rest("place", client.limit(client.bid - 100, "b"))
        assert by_socket.code == by_rest.code != ""


async def test_ignore_answers_and_does_nothing(kind: type[OrderClient]) -> None:
    async with order_client(kind) as client:
        script(client, kind="ignore", on="place_order")
        assert (await client.ask("place", client.limit(client.bid - 100, "a"))).code == ""
        assert orders_of(client) == []


async def test_faults_of_streams_leave_answers_alone(kind: type[OrderClient]) -> None:
    async with order_client(kind) as client:
        script(client, kind="mute", channel="private")
        script(client, kind="mute", channel="market")
        assert (await client.ask("place", client.limit(client.bid - 100, "a"))).code == ""


async def test_connections_for_orders_are_cut(kind: type[OrderClient]) -> None:
    async with order_client(kind) as client:
        script(client, kind="cut", channel="answers")
        assert await client.end() == 1006


async def test_a_key_that_is_revoked_ends_its_orders(kind: type[OrderClient]) -> None:
    """F15: what a revoked key may do ends at once."""
    async with order_client(kind) as client:
        await client.ask("place", client.limit(client.bid - 100, "a"))
        client.simulator.keys.revoke("sim-key")
        if kind.exchange != "binance":
            assert await client.end() == 1006
            return
        assert (await client.ask("place", client.limit(client.bid - 100, "b"))).code == "-2015"
        assert orders_of(client) == ["a"]


_TROUBLE: tuple[dict[str, Any], ...] = (
    {"kind": "lose_request", "on": "place_order", "probability": "0.15"},
    {"kind": "lose_answer", "on": "place_order", "probability": "0.15"},
    {"kind": "refuse", "on": "place_order", "probability": "0.1", "code": "4711"},
    {"kind": "delay", "on": "place_order", "probability": "0.3", "delay_ms": 30},
    {"kind": "unknown_id", "probability": "0.1"},
    {"kind": "missing_id", "probability": "0.1"},
    {"kind": "repeat", "channel": "answers", "probability": "0.1", "copies": 2},
    {"kind": "reorder", "channel": "answers", "probability": "0.3", "window": 3},
)


async def test_answers_are_true_whatever_happens_to_them(kind: type[OrderClient]) -> None:
    """F1: what is answered as done is in the ledger once, what is refused is not, and what was lost never was there."""
    async with order_client(kind, server=UNPACED) as client:
        for fault in _TROUBLE:
            script(client, **fault)
        names = [f"n{number}" for number in range(40)]
        for name in names:
            await client.post("place", client.limit(client.bid - 100, name), f"id{name}")
        frames = await client.rest_of()
        hits = {row["kind"]: row["hits"] for row in client.simulator.faults.listing()}
        placed = len(names) - hits["lose_request"] - hits["refuse"]
        await eventually(lambda: len(orders_of(client)) == placed)

        async def all_came() -> bool:
            frames.extend(await client.rest_of())
            return (
                len([frame for frame in frames if client.final(frame)])
                >= len(names) - hits["lose_request"] - hits["lose_answer"]
            )

        await eventually(all_came)
        kept = orders_of(client)
        assert len(set(kept)) == len(kept)
        answers = [(client.number(frame), client.read(frame)) for frame in frames if client.final(frame)]
        done = {(number, client.name_of(answer)) for number, answer in answers if not answer.code}
        assert {name for _, name in done} <= set(kept)
        assert all(number in (None, "987654321", f"id{name}") for number, name in done)
        refused = {str(number).removeprefix("id") for number, answer in answers if answer.code}
        assert not refused & set(kept)
        assert all(hits[fault["kind"]] for fault in _TROUBLE)


async def test_the_control_api_takes_and_counts_these_faults() -> None:
    """A script in JSON makes them, as it makes those of REST."""
    kinds = ({"kind": "lose_request", "on": "place_order"}, {"kind": "lose_answer", "on": "cancel_order"})
    answers = ({"kind": "unknown_id"}, {"kind": "missing_id"}, {"kind": "reorder", "channel": "answers"})
    async with order_client(CLIENTS[0]) as client:
        url, body = (
            f"{client.simulator.url}/_sim/faults",
            {"faults": [*kinds, *answers, {"kind": "delay", "on": "login", "delay_ms": 1}]},
        )
        async with client.session.post(url, json=body) as response:
            assert response.status == 200
        await client.post("place", client.limit(client.bid - 100))
        await client.rest_of()
        async with client.session.get(url) as response:
            hits = {row["kind"]: row["hits"] for row in (await response.json())["faults"]}
        assert hits == {
            kind["kind"]: int(kind["kind"] == "lose_request") for kind in (*kinds, *answers, {"kind": "delay"})
        }


# What no client should send

_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x" * 200,
    "9" * 40,
    "\u0000",
    [],
    [[]],
    {},
    {"a": [1]},
    [None, "a"],
)

_SUBSCRIPTIONS: tuple[Any, ...] = (
    {"channel": "orders", "instType": "ANY"},
    {"instType": "UTA", "topic": "order"},
    {"instType": "USDT-FUTURES", "channel": "orders", "instId": "default"},
    "order",
)


def _variants(message: Any) -> Iterator[Any]:
    """Yield the message with each value at each place replaced, and with each field left out."""
    if isinstance(message, dict):
        for name, value in message.items():
            yield {other: kept for other, kept in message.items() if other != name}
            yield from ({**message, name: changed} for changed in (*_VALUES, *_variants(value)))
    elif isinstance(message, list):
        for number, value in enumerate(message):
            yield from ([*message[:number], changed, *message[number + 1 :]] for changed in _variants(value))


async def test_no_form_of_a_request_ends_a_connection(kind: type[OrderClient]) -> None:
    """F25: each field of each request removed, null, retyped: it is answered, and the next request is served."""
    async with order_client(kind, server=UNPACED) as client:
        order = client.limit(client.bid - 100)
        messages = [client.message("place", order, "1"), client.message("cancel", client.named("none"), "2")]
        if "place_batch" in client.operations:
            messages.append(client.message("place_batch", client.several([order, order]), "3"))
        messages += [client.auth()] if hasattr(client, "auth") else []
        messages += [{"op": "subscribe", "args": [topic]} for topic in _SUBSCRIPTIONS]
        now = client.now_ms // 1000
        messages.append(
            {"time": now, "channel": "futures.orders", "event": "subscribe", "payload": ["20000001", "!all"]}
        )
        for message in messages:
            for variant in _variants(message):
                await client.socket.send_str(json.dumps(variant))
            await client.rest_of()
        for text in (
            "",
            "null",
            "[]",
            "1",
            '"text"',
            "{",
            "\ud83d",
            '{"op": {}}',
            '{"event": "api"}',
            '{"method": []}',
        ):
            await client.socket.send_bytes(text.encode(errors="replace"))
            await client.socket.send_str(text.encode(errors="replace").decode())
        await client.rest_of()
        client.simulator.engine.cancel_all("sim-key", "BTCUSDT")
        client.simulator.market.clock.skew_ms += 4000
        client.skew_ms += 4000
        await client.post("place", client.limit(client.bid - 100, "last"), "last")
        assert await client.rest_of()
        assert orders_of(client)[-1] == "last"
