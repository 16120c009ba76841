"""What comes to the port without being a call: other protocols, half a request, floods. The connector serves on."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from pydantic import ValidationError

from opensqt.config.remote import RemoteSettings
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.wire import options
from tests.service.connector_rig import place
from tests.service.connector_thread import Running, connector_thread
from tests.service.hostile import METHODS, eventually, send, told
from tests.support.authority import Authority

SERVING = health_pb2.HealthCheckResponse.SERVING
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICE = "/opensqt.market_maker.v1.ExchangeService/"
PRICE = pb.SubscribePriceRequest(symbol="BTCUSDT").SerializeToString()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with connector_thread() as running:
        yield running


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    pair = Authority(tmp_path_factory.mktemp("tls")).issue("server")
    with connector_thread(tls_cert_file=pair.certificate, tls_key_file=pair.key) as running:
        yield running


@pytest.fixture(autouse=True)
def as_well_as_before(running: Running, protected: Running) -> Iterator[None]:
    """F26: after whatever a test did, health is good and no task, subscription or connection stays."""
    send(running.channel, "GetAccount", b"")
    before, files = running.tasks(), open_files()
    yield
    assert running.health() == SERVING
    assert protected.rig.connector.calls.in_flight == 0
    eventually(lambda: not running.rig.connector.streams.counts, what="upstreams closed")
    eventually(lambda: running.tasks() <= before, what="tasks gone")
    eventually(lambda: open_files() <= files + 2, what="connections closed")
    assert running.rig.connector.calls.in_flight == 0


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def connect(running: Running) -> socket.socket:
    host, _, port = running.rig.connector.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def own_channel(running: Running) -> grpc.Channel:
    """A connection that no other test shares."""
    own = [*options.CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(running.rig.connector.address, options=own)


def is_ended(link: socket.socket) -> bool:
    """Whether the other side closes the connection, whatever it says before."""
    try:
        while link.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    return True


NOISE = {
    "http1-get": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    "http1-post": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
    "zeros": b"\x00" * 1000,
    "noise": bytes(range(256)) * 100,
    "preface-noise": PREFACE + b"\xff" * 1000,
    "frame-of-16-mb": PREFACE + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"a" * 100,
    "headers-nonsense": PREFACE + b"\x00\x00\x00\x04" + b"\x00" * 7 + b"\x09\x01\x04\x00\x00\x00\x01" + b"\xff" * 9,
    "half-a-handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("port", ["running", "protected"])
@pytest.mark.parametrize("said", NOISE.values(), ids=NOISE)
def test_another_protocol_is_hung_up_on(request: pytest.FixtureRequest, port: str, said: bytes) -> None:
    """On the plain port and on the one that speaks TLS."""
    with connect(request.getfixturevalue(port)) as link:
        # It may have hung up before all was said.
        with suppress(OSError):
            link.sendall(said)
            link.shutdown(socket.SHUT_WR)
        assert is_ended(link)


def test_a_plain_client_reaches_nothing_where_tls_is_spoken(protected: Running) -> None:
    with own_channel(protected) as channel:
        assert send(channel, "GetAccount", b"", timeout=5)[0] is grpc.StatusCode.UNAVAILABLE


def test_tls_on_the_plain_port_is_hung_up_on(running: Running) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect(running) as link, pytest.raises((ssl.SSLError, ConnectionResetError)):
        context.wrap_socket(link)


def test_a_request_of_100_mb_is_refused_and_the_connection_serves_on(running: Running) -> None:
    """gRPC itself refuses it before it is read: the one answer without our details."""
    with grpc.insecure_channel(running.rig.connector.address) as channel:
        code, text, _ = send(channel, "PlaceOrder", b"\x00" * 100 * 1024 * 1024, timeout=30)
        assert (code, "larger than max" in text) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
        assert send(channel, "GetAccount", b"")[0] is grpc.StatusCode.OK


def test_a_small_message_that_unpacks_to_a_large_one_is_refused(running: Running) -> None:
    with grpc.insecure_channel(running.rig.connector.address) as channel:
        call = channel.unary_unary(SERVICE + "GetAccount")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\x00" * 50 * 1024 * 1024, timeout=30, compression=grpc.Compression.Gzip)
    assert told(caught.value)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_beyond_what_is_taken_is_refused(running: Running) -> None:
    with own_channel(running) as channel:
        code, *_ = send(channel, "GetAccount", b"", metadata={"x-a": "a" * 100_000})
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        code, *_ = send(channel, "GetAccount", b"", metadata={f"x-a{number}": "a" * 20 for number in range(2_000)})
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert send(channel, "GetAccount", b"")[0] is grpc.StatusCode.OK


@pytest.mark.parametrize(
    "metadata",
    [
        {"x-a-bin": bytes(range(256))},
        {"x-correlation-id": "a b;c=d"},
        {"x-correlation-id": "a" * 4_000},
        {"x-client-name": "'; DROP TABLE intent; --"},
        {"traceparent": "00-zz-zz-01", "tracestate": "," * 500},
        {"authorization": "Bearer"},
        {"authorization": "Basic Og=="},
        {"authorization": "Bearer " + "a" * 3_000},
        {"grpc-accept-encoding": "x", "user-agent": "%00"},
        {f"x-{number}": "a" for number in range(100)},
    ],
    ids=lambda metadata: next(iter(metadata)),
)
def test_odd_metadata_harms_no_call(running: Running, metadata: dict[str, Any]) -> None:
    """No token is wanted on loopback, so that a nonsensical one is not looked at."""
    code, text, _ = send(running.channel, "GetAccount", b"", metadata=metadata)
    assert code is grpc.StatusCode.OK, text


def test_a_method_that_does_not_exist_is_unimplemented(running: Running) -> None:
    for path in (SERVICE + "Nothing", "/x.Y/Nothing", "/", SERVICE + "PlaceOrder/"):
        with pytest.raises(grpc.RpcError) as caught:
            running.channel.unary_unary(path)(b"", timeout=10)
        assert told(caught.value)[0] is grpc.StatusCode.UNIMPLEMENTED


def test_requests_that_never_come_hold_nothing_up(running: Running, large: bool) -> None:
    """Calls whose headers came and whose message does not."""
    never = threading.Event()

    def requests() -> Iterator[bytes]:
        never.wait(60)
        yield from ()

    with own_channel(running) as channel:
        calls = [channel.stream_unary(SERVICE + "PlaceOrder").future(requests()) for _ in range(200 if large else 20)]
        assert send(channel, "GetAccount", b"")[0] is grpc.StatusCode.OK
        assert running.rig.connector.calls.in_flight == 0
        for call in calls:
            call.cancel()
        never.set()


def test_a_flood_of_connections_that_say_nothing_keeps_nobody_out(running: Running, large: bool) -> None:
    with ExitStack() as stack:
        for _ in range(400 if large else 150):
            stack.enter_context(connect(running))
        assert running.health() == SERVING
        with own_channel(running) as channel:
            assert send(channel, "PlaceOrder", place("flood").SerializeToString())[0] is grpc.StatusCode.OK


def test_a_connection_that_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    if not large:
        sooner = [(name, 500 if "handshake" in name else value) for name, value in options.SERVER_OPTIONS]
        monkeypatch.setattr(options, "SERVER_OPTIONS", sooner)
    with connector_thread() as running, connect(running) as link:
        link.settimeout(30)
        assert is_ended(link)


def test_a_call_waits_to_be_taken_up_until_its_own_deadline_whatever_the_client_chose() -> None:
    limit_s = dict(options.SERVER_OPTIONS)["grpc.server_max_unrequested_time_in_server"]
    assert RemoteSettings(base_url="127.0.0.1:1", deadline_s=300).deadline_s < limit_s
    with pytest.raises(ValidationError):
        RemoteSettings(base_url="127.0.0.1:1", deadline_s=limit_s)


def test_more_streams_than_a_client_may_have_are_refused_and_harm_no_call(running: Running, large: bool) -> None:
    """F26: the next one is told why at once, though all are on one connection, and calls on it go on."""
    allowed = running.rig.connector.settings.max_streams
    wanted = 5_000 if large else allowed + 50
    with own_channel(running) as channel:
        open_one = channel.unary_stream(SERVICE + "SubscribePrice")
        streams = [open_one(PRICE, timeout=120) for _ in range(wanted)]
        for stream in streams[:allowed]:
            assert pb.SubscribePriceResponse.FromString(next(stream)).snapshot
        for stream in streams[allowed:]:
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert told(caught.value)[::2] == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        (topic,) = running.on_loop(lambda: dict(running.rig.connector.streams.counts).values())
        assert topic == allowed
        assert running.health() == SERVING
        for one in (channel, running.channel):
            assert send(one, "GetAccount", b"")[0] is grpc.StatusCode.OK


def test_streams_opened_and_canceled_at_once_leave_nothing(running: Running, large: bool) -> None:
    """F26: memory does not grow with subscriptions that end."""
    with own_channel(running) as channel:
        open_one = channel.unary_stream(SERVICE + "SubscribeOrders")
        for _ in range(20_000 if large else 500):
            open_one(b"", timeout=30).cancel()
        assert send(channel, "GetAccount", b"")[0] is grpc.StatusCode.OK


@pytest.mark.parametrize("method", METHODS)
def test_a_call_whose_deadline_has_passed_is_told_so_and_leaves_nothing(running: Running, method: str) -> None:
    for timeout in (0.0, 1e-9, 1e-4):
        code, *_ = send(running.channel, method, b"", timeout=timeout)
        assert code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OK)
