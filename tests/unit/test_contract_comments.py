"""The comments of proto/ name the errors of each method; these tests hold them to what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from opensqt.model import errors
from opensqt.model.errors import BY_REASON, ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.venues.binance.errors import CODES as BINANCE
from opensqt.venues.bitget.errors import CODES as BITGET
from opensqt.venues.bybit.errors import CODES as BYBIT
from opensqt.venues.gate.errors import CODES as GATE
from opensqt.venues.okx.errors import CODES as OKX
from opensqt.venues.transport.errors import CCXT_ERRORS
from opensqt.wire.errors import INTERNAL_REASON, code_of

ROOT = Path(__file__).parents[2]
Pairs = set[tuple[str, str]]
"""Status code and reason."""

FAMILIES = {"EXCHANGE_ERROR", "REQUEST_ERROR", "BACK_OFF", "ACCESS_ERROR"}
"""Classes to catch by; what is raised are their subclasses."""
NOT_OF_A_CALL = {"CONNECTOR_UNAVAILABLE", "STALE_DATA", "UNSUPPORTED_ACCOUNT"}
"""Raised by RemoteExchange, or by the start of an adapter, never by a call of a connector."""

PUBLIC = ["GetLatestPrice", "GetHistoricalKlines"]
"""Methods that ask the venue without a signature."""
SIGNED = [
    "PlaceOrder",
    "AmendOrder",
    "CancelOrder",
    "GetOrder",
    "GetOpenOrders",
    "GetAccount",
    "GetPositions",
    "ListFills",
]
ACCOUNT = [*SIGNED, "CancelAllOrders", "BatchCancelOrders", "SubscribeOrders", "SubscribeAccount", "SubscribePositions"]


class Comments:
    """What protoc reads as the leading comments of services, methods and fields, by name."""

    def __init__(self, contract: FileDescriptorSet) -> None:
        self.services: dict[str, str] = {}
        self.methods: dict[str, str] = {}
        self.fields: dict[str, str] = {}
        for file in contract.file:
            said = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
            for number, service in enumerate(file.service):
                self.services[service.name] = said[6, number]
                for place, method in enumerate(service.method):
                    self.methods[method.name] = said[6, number, 2, place]
            for number, message in enumerate(file.message_type):
                for place, field in enumerate(message.field):
                    self.fields[f"{message.name}.{field.name}"] = said[4, number, 2, place]

    def pairs(self, method: str) -> Pairs:
        """What a call of the method may end with."""
        return documented(self.methods[method]) | documented(self.services["ExchangeService"])


@pytest.fixture(scope="module")
def comments(tmp_path_factory: pytest.TempPathFactory) -> Comments:
    made = tmp_path_factory.mktemp("contract") / "contract.bin"
    sources = map(str, sorted((ROOT / "proto").rglob("*.proto")))
    include = [f"-I{ROOT / 'proto'}", f"-I{files('grpc_tools') / '_proto'}"]
    assert not protoc.main(["protoc", *include, "--include_source_info", f"--descriptor_set_out={made}", *sources])
    return Comments(FileDescriptorSet.FromString(made.read_bytes()))


def documented(comment: str) -> Pairs:
    """Read the indented lines `STATUS: REASON, REASON (why)` of a comment; deeper lines go on."""
    entries: list[str] = []
    for line in comment.splitlines():
        if line.startswith(" " * 5):
            entries[-1] += line
        elif line.startswith(" " * 3):
            entries.append(line)
    found = set()
    for entry in entries:
        code, _, reasons = re.sub(r"\([^)]*\)", "", entry).partition(":")
        found |= {(code.strip(), reason.strip()) for reason in reasons.split(",")}
    return found


def leaves(kind: type[ExchangeError]) -> Iterator[type[ExchangeError]]:
    """The errors of a family that are raised: OrderRejected is one itself, a mere family is not."""
    if kind.reason not in FAMILIES:
        yield kind
    for child in kind.__subclasses__():
        yield from leaves(child)


def pairs_of(*kinds: type[ExchangeError]) -> Pairs:
    return {(code_of(one("")).name, one.reason) for kind in kinds for one in leaves(kind)}


EVERY = pairs_of(errors.ExchangeError) | {(code_of(RuntimeError()).name, INTERNAL_REASON)}


def test_error_lists_every_reason_with_its_status(comments: Comments) -> None:
    assert documented(comments.fields["Error.reason"]) == {pair for pair in EVERY if pair[1] not in NOT_OF_A_CALL}


def test_each_method_names_only_reasons_that_there_are_with_the_status_that_they_have(comments: Comments) -> None:
    known = documented(comments.fields["Error.reason"])
    wrong = {name: documented(text) - known for name, text in (comments.methods | comments.services).items()}
    assert {name: pairs for name, pairs in wrong.items() if pairs} == {}


def test_both_services_say_the_same_of_every_call(comments: Comments) -> None:
    exchange, gateway = (documented(comments.services[name]) for name in ("ExchangeService", "GatewayService"))
    assert exchange == gateway
    assert len(exchange) == 6


def test_no_method_repeats_what_every_call_may_end_with(comments: Comments) -> None:
    every = documented(comments.services["ExchangeService"])
    repeated = {name: documented(text) & every for name, text in comments.methods.items()}
    # Beside another reason of the same status it has a meaning of its own.
    allowed = {("RESOURCE_EXHAUSTED", "RATE_LIMITED"), ("UNAVAILABLE", "UNREACHABLE")}
    assert {name: pairs - allowed for name, pairs in repeated.items() if pairs - allowed} == {}


@pytest.mark.parametrize("method", [*PUBLIC, *SIGNED])
def test_a_method_that_asks_the_venue_names_every_way_in_which_that_can_fail(comments: Comments, method: str) -> None:
    expected = pairs_of(errors.BackOff, errors.Unreachable, errors.VenueError)
    if method in SIGNED:
        expected |= pairs_of(errors.AccessError)
    assert expected <= comments.pairs(method)


def test_cancel_all_names_what_ends_it_at_once_and_what_its_deadline_leaves_open(comments: Comments) -> None:
    """What a wait may help is tried again until then."""
    assert pairs_of(errors.AccessError, errors.OutcomeUnknown) <= comments.pairs("CancelAllOrders")


@pytest.mark.parametrize("method", ACCOUNT)
def test_a_method_of_the_account_names_what_public_only_mode_answers(comments: Comments, method: str) -> None:
    assert pairs_of(errors.Unsupported) <= comments.pairs(method)


@pytest.mark.parametrize("method", ["PlaceOrder", "AmendOrder"])
def test_placing_and_amending_name_every_refusal_that_a_venue_has_a_code_for(comments: Comments, method: str) -> None:
    tables = (BINANCE, BITGET, BYBIT, GATE, OKX, CCXT_ERRORS)
    kinds = {kind for table in tables for kind in table.values()} - {errors.OrderNotFound}
    assert pairs_of(*kinds) <= comments.pairs(method)


@pytest.mark.parametrize("method", ["PlaceOrder", "AmendOrder", "CancelOrder", "GetOrder"])
def test_a_method_names_what_the_protocol_says_that_it_raises(comments: Comments, method: str) -> None:
    ours = getattr(Exchange, re.sub(r"(?<!^)(?=[A-Z])", "_", method).lower())
    said = (ours.__doc__ or "").partition("Raises:")[2]
    kinds = [getattr(errors, name) for name in re.findall(r"^\s+([A-Z]\w+):", said, flags=re.MULTILINE)]
    assert kinds
    assert pairs_of(*kinds) <= comments.pairs(method)


def test_every_reason_belongs_to_a_method(comments: Comments) -> None:
    named = {pair for text in (comments.methods | comments.services).values() for pair in documented(text)}
    assert named == documented(comments.fields["Error.reason"])


def test_families_have_members() -> None:
    assert all(BY_REASON[reason].__subclasses__() for reason in FAMILIES)
