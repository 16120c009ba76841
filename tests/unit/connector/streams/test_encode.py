from __future__ import annotations

from typing import TypeVar

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from opensqt.connector.streams.encode import MAX_BYTES, MAX_ENTRIES, encode, responses, stamped
from opensqt.model.stream import Batch
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2
from opensqt.streams.feed import Entry

T = TypeVar("T")
GATEWAY = [
    method
    for method in gateway_pb.DESCRIPTOR.services_by_name["GatewayService"].methods
    if method.server_streaming and not method.client_streaming
]
STREAMING = [method for method in pb.DESCRIPTOR.services_by_name["ExchangeService"].methods if method.server_streaming]


def entry(symbol: str, number: int = 0) -> Entry[types_pb2.Price]:
    return Entry(types_pb2.Price(symbol=symbol), number)


def batch(entries: list[Entry[T]], sequence: int, *, snapshot: bool = False, gap: bool = False) -> Batch[Entry[T]]:
    return Batch(updates=tuple(entries), epoch="e1", sequence=sequence, snapshot=snapshot, gap=gap)


def parsed(of: Batch[Entry[types_pb2.Price]]) -> list[pb.SubscribePriceResponse]:
    return [pb.SubscribePriceResponse.FromString(response) for response, _place, _count in responses(of, encode)]


@pytest.mark.parametrize("method", STREAMING, ids=lambda method: method.name)
def test_every_streamed_response_has_the_layout_that_is_written(method) -> None:
    response = GetMessageClass(method.output_type)()
    item = response.updates.add(event_time_ms=5) if method.name != "SubscribeOrders" else response.updates.add()
    response.epoch, response.sequence, response.snapshot, response.gap = "e1", 300, True, True
    response.position.epoch, response.position.sequence = "e1", 300
    response.sent_ns = 1_700_000_000_123_456_789
    of = batch([Entry(item, 0)], 300, snapshot=True, gap=True)
    written = [stamped(one, response.sent_ns) for one, *_ in responses(of, encode)]
    assert list(written) == [response.SerializeToString()]


@pytest.mark.parametrize("method", GATEWAY, ids=lambda method: method.name)
def test_a_response_of_the_gateway_has_its_place_in_the_position_only(method) -> None:
    response = GetMessageClass(method.output_type)()
    item = response.updates.add(event_time_ms=5)
    response.snapshot, response.gap, response.sent_ns = True, True, 1_700_000_000_123_456_789
    response.position.epoch, response.position.sequence = "e1", 300
    of = batch([Entry(item, 0)], 300, snapshot=True, gap=True)
    written = [stamped(one, response.sent_ns) for one, *_ in responses(of, encode, has_position_only=True)]
    assert written == [response.SerializeToString()]


@given(st.lists(st.text(max_size=300), max_size=20), st.integers(0, 2**63), st.booleans(), st.booleans())
def test_a_response_reads_back_as_the_batch_that_was_written(symbols, sequence, snapshot, gap) -> None:
    (response,) = parsed(batch([entry(symbol) for symbol in symbols], sequence, snapshot=snapshot, gap=gap))
    assert [price.symbol for price in response.updates] == symbols
    assert (response.epoch, response.sequence, response.snapshot, response.gap) == ("e1", sequence, snapshot, gap)
    assert response.position == types_pb2.StreamPosition(epoch="e1", sequence=sequence)


def test_a_large_batch_is_cut_and_each_part_says_where_it_ends() -> None:
    entries = [entry("X", number) for number in range(1, 2 * MAX_ENTRIES + 6)]
    parts = parsed(batch(entries, sequence=2 * MAX_ENTRIES + 5))
    assert [len(part.updates) for part in parts] == [MAX_ENTRIES, MAX_ENTRIES, 5]
    assert [part.position.sequence for part in parts] == [MAX_ENTRIES, 2 * MAX_ENTRIES, 2 * MAX_ENTRIES + 5]
    assert [part.sequence for part in parts] == [part.position.sequence for part in parts]


def test_a_batch_of_large_updates_is_cut_by_its_bytes() -> None:
    third = "X" * (MAX_BYTES // 3)
    parts = parsed(batch([entry(third, number) for number in range(1, 6)], sequence=5))
    assert [len(part.updates) for part in parts] == [2, 2, 1]


def test_a_batch_whose_updates_have_no_numbers_of_their_own_is_not_cut() -> None:
    """F7: a part that gave the number of the whole batch would let a client resume behind what it never got."""
    (response,) = parsed(batch([entry("X", 9)] * (MAX_ENTRIES * 3), sequence=9))
    assert (len(response.updates), response.sequence) == (MAX_ENTRIES * 3, 9)


def test_an_update_is_encoded_once_for_all_clients() -> None:
    made = []

    def counted(price: types_pb2.Price) -> bytes:
        made.append(price.symbol)
        return encode(price)

    of = batch([entry("A", 1), entry("B", 2)], sequence=2)
    first, second = (list(responses(of, counted)) for _ in range(2))
    assert (first, made) == (second, ["A", "B"])


def test_a_snapshot_is_never_cut_for_half_of_one_would_be_read_as_the_whole_truth() -> None:
    (response,) = parsed(batch([entry("X")] * (MAX_ENTRIES * 3), sequence=9, snapshot=True))
    assert len(response.updates) == MAX_ENTRIES * 3


def test_an_empty_batch_still_says_where_the_stream_stands() -> None:
    (response,) = parsed(batch([], sequence=7, snapshot=True))
    assert (response.position.epoch, response.position.sequence, response.snapshot) == ("e1", 7, True)
