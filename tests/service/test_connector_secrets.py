"""No token, key or certificate's key is in anything that the connector says, whatever goes wrong."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest
import structlog

from opensqt.connector.auth.clients import digest
from opensqt.model.account import Account
from opensqt.proto import exchange_service_pb2 as pb
from tests.service.connector_rig import Venue, client, order, place
from tests.service.gatekeeper import MAKER, PAGE, bearer, code_of, guarded, over_tls, token, write
from tests.support import Process, eventually, start
from tests.support.authority import Authority
from tests.support.blocking import in_thread

FLAGS = ("--exchange", "binance", "--simulated", "--port", "0", "--metrics-port", "0")
PAGES, MAKERS, NOBODYS = token("page"), token("maker"), token("nobody")


def pieces(*secrets: str) -> list[str]:
    """What would give a secret away: its value, and any part of it that is long enough to try."""
    return [part for secret in secrets for part in (secret[4:16], secret[-12:])]


def clean(text: str, secrets: Iterable[str]) -> None:
    assert not [piece for piece in pieces(*secrets) if piece in text]


async def say(channel: grpc.aio.Channel, method: str, metadata: Any, request: Any = None) -> str:
    """Make a call that fails and answer all that came back of it."""
    described = "/opensqt.market_maker.v1.ExchangeService/" + method
    call = channel.unary_unary(described)(
        request.SerializeToString() if request else b"", metadata=metadata, timeout=10
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    # The correlation id is the caller's own word, and goes back to nobody else.
    trailing = [pair for pair in error.trailing_metadata() if pair[0] != "x-correlation-id"]
    return f"{error.details()} {error.debug_error_string()} {[*error.initial_metadata()]} {trailing}"


HOSTILE_METADATA: list[Any] = [
    bearer("nobody"),
    (("authorization", NOBODYS),),
    (("authorization", f"Token {PAGES}"),),
    (("authorization", f"Bearer {PAGES} {PAGES}"),),
    (*bearer("page"), *bearer("page")),
    (*bearer("nobody"), ("x-correlation-id", PAGES), ("x-client-name", PAGES)),
]
"""Ways to show a token wrongly."""


async def test_a_real_connector_tells_no_token_and_no_key_in_any_error_path(tmp_path: Path) -> None:
    """F33: no secret shows in a log, an error or a page."""
    authority = Authority(tmp_path)
    server, maker = authority.issue("server"), authority.issue("maker-host")
    forged = Authority(tmp_path, "stranger").issue("page-host")
    shows = {"token_sha256": digest(MAKERS).hex(), "certificate": "maker-host"}
    clients = write(tmp_path / "clients.yaml", MAKER | shows)
    keys = [key for pair in (server, maker) for key in pair.key.read_text().splitlines()[1:-1]]
    flags = ("--tls-cert", server.certificate, "--tls-key", server.key, "--tls-client-ca", authority.file)
    flags += ("--clients", clients, "--audit-file", tmp_path / "audit.jsonl")
    answers: list[str] = []
    env = {"LOG_LEVEL": "DEBUG"}
    async with start("opensqt.connector", *FLAGS, *map(str, flags), env=env, cwd=tmp_path) as process:
        address = await process.ready()
        async with over_tls(address, authority.file, maker) as channel:
            answers += [await say(channel, "GetAccount", metadata) for metadata in HOSTILE_METADATA]
            named = place(MAKERS, symbol=MAKERS)
            answers.append(await say(channel, "PlaceOrder", bearer("maker"), named))
            answers.append(await say(channel, "PlaceOrder", bearer("page"), named))
            batch = pb.BatchPlaceOrdersRequest(orders=[order(MAKERS, quantity=MAKERS)])
            assert await code_of(channel, "BatchPlaceOrders", bearer("maker"), batch) is grpc.StatusCode.OK
        for pair in (None, forged):
            async with over_tls(address, authority.file, pair) as channel:
                answers.append(await say(channel, "GetAccount", bearer("maker")))
        async with client(address) as channel:
            answers.append(await say(channel, "GetAccount", bearer("maker")))
        await spoil(process, clients, server.key)
        assert await process.stop() == 0
    said = process.output + (tmp_path / "audit.jsonl").read_text() + "".join(answers)
    assert "UNAUTHENTICATED" in said
    assert "token_sha256" in said
    clean(said, [PAGES, MAKERS, NOBODYS, *keys])
    # Not even a handshake that fails writes what a reader of JSON stumbles over.
    assert all(orjson.loads(line)["event"] for line in process.stderr.splitlines())


async def spoil(process: Process, clients: Path, key: Path) -> None:
    """Put a token where its hash belongs, and something else in the key's place, and have both taken up."""
    text = await in_thread(clients.read_text)
    await in_thread(clients.write_text, text.replace(digest(MAKERS).hex(), MAKERS))
    await in_thread(key.write_text, "-----BEGIN PRIVATE KEY-----\n" + PAGES + "\n-----END PRIVATE KEY-----\n")
    process.send(signal.SIGHUP)
    await eventually(lambda: process.output.count("not taken up") >= 2)


class Leaky(Venue):
    """An exchange that puts its caller's token in every error."""

    async def get_account(self) -> Account:
        raise RuntimeError(f"no account for {MAKERS}: authorization: Bearer {MAKERS}")


async def test_an_exception_nobody_foresaw_tells_its_caller_nothing(tmp_path: Path) -> None:
    """F33: no secret shows in a log, an error or a page."""
    async with guarded(tmp_path, venue=Leaky()) as running:
        with structlog.testing.capture_logs():
            answer = await say(running.channel, "GetAccount", bearer("maker"))
    assert "internal error" in answer
    clean(answer, [MAKERS])


async def test_a_hangup_takes_up_the_clients_at_once(tmp_path: Path) -> None:
    clients = write(tmp_path / "clients.yaml", PAGE)
    async with start("opensqt.connector", *FLAGS, "--clients", str(clients), cwd=tmp_path) as process:
        async with client(await process.ready()) as channel:
            assert await code_of(channel, "GetAccount", bearer("page")) is grpc.StatusCode.OK
            write(clients, MAKER)
            process.send(signal.SIGHUP)
            await eventually(lambda: "taken up again" in process.output)
            assert await code_of(channel, "GetAccount", bearer("page")) is grpc.StatusCode.UNAUTHENTICATED
            assert await code_of(channel, "GetAccount", bearer("maker")) is grpc.StatusCode.OK
        assert await process.stop() == 0
