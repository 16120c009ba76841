"""What both ends of the gRPC connection must agree on: names, keepalive, sizes. No gRPC is imported here."""

from __future__ import annotations

from typing import Final

EXCHANGE_SERVICE: Final = "opensqt.market_maker.v1.ExchangeService"
LIVENESS: Final = "liveness"
"""The health service's name for "the process runs", whatever the venue does."""

STREAM_KINDS: Final = (
    "price",
    "orders",
    "klines",
    "account",
    "positions",
    "order_book",
    "trades",
    "mark_price",
    "funding_payments",
)
"""The kinds of streams, as metrics and `GetStatus` name them."""

CORRELATION_ID: Final = "x-correlation-id"
"""Metadata key. The caller may send one; the connector makes one if not, logs it and sends it back."""

CLIENT_NAME: Final = "x-client-name"
"""Metadata key. What a client calls itself where neither a token nor a certificate proves who it is."""
AUTHORIZATION: Final = "authorization"
"""Metadata key: `Bearer TOKEN`."""

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Of what the connector answers."""
MAX_REQUEST_BYTES: Final = 1024 * 1024
"""Of what it takes in: room for a batch that is far too long, so that it is refused as such, and so little that a
thousand hostile requests at once don't fill the memory."""
MAX_CONCURRENT_STREAMS: Final = 1000
"""Of one connection at least. Beyond what a connection takes, calls wait in the client's gRPC without a word."""
_SPARE_STREAMS = 100
"""What a connection takes beyond the streams of a client, so that the next one is refused with a reason."""
MAX_CALLS_AT_ONCE: Final = 900
"""Of one client on the connection of its calls. They never wait for a stream of HTTP/2, because a call that waits there
looks like one that was sent; the rest is for calls that the client gave up and the connector has not ended."""
MAX_PENDING_CALLS: Final = 10_000
"""Of all clients together: ten connections that each use all their streams at once."""
MAX_PENDING_S: Final = 600
"""How long a call may wait to be taken up: longer than any deadline that a client may set."""

Option = tuple[str, int]

_SHARED: tuple[Option, ...] = (
    # A connection that died in silence is found after 10 + 5 s, with or without calls on it.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Without it an unanswered ping is waited for a minute, whatever the keepalive says.
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Pings may go on for ever while a stream is quiet.
    ("grpc.http2.max_pings_without_data", 0),
)

CHANNEL_OPTIONS: tuple[Option, ...] = (
    *_SHARED,
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
)
"""For RemoteExchange's channel."""

SERVER_OPTIONS: tuple[Option, ...] = (
    *_SHARED,
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Half the client's ping interval: its pings are never taken for abuse (GOAWAY too_many_pings).
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # gRPC widens the window and the read buffers of a connection, to 4 MB each, as it is sent more: eight connections
    # with requests of 6 MB, which are refused, held 80 MB. A request of ours has 1 KB, so the least window is enough.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.experimental.tcp_max_read_chunk_size", 65_536),
    # Calls that came faster than Python takes them up. Beyond 1,000, the default, gRPC cancels some of them by chance,
    # whoever sent them: a burst of one client would end the cancels of another. Each client's share refuses with a
    # reason what is too much.
    ("grpc.server.max_pending_requests", MAX_PENDING_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", 2 * MAX_PENDING_CALLS),
    # A call that Python takes up late ends by its own deadline, which is shorter than this. By default gRPC cancels it
    # after 30 s without a reason, as on a machine that is very busy.
    ("grpc.server_max_unrequested_time_in_server", MAX_PENDING_S),
    # A connection without calls ends; a client connects again by itself when it has one to make.
    ("grpc.max_connection_idle_ms", 600_000),
    # Whoever connects and says nothing does not hold a place for two minutes.
    ("grpc.server_handshake_timeout_ms", 15_000),
    # Two connectors on one port would share the clients between them unseen; a port in use must be an error.
    ("grpc.so_reuseport", 0),
)
"""For the connector's server, with `stream_limit`."""


def stream_limit(max_streams: int) -> Option:
    """Return how many calls and streams one connection takes at once, where a client may have this many streams."""
    return ("grpc.max_concurrent_streams", max(MAX_CONCURRENT_STREAMS, max_streams) + _SPARE_STREAMS)
