"""TLS: certificates that are renewed without a restart, and clients that show their own."""

from __future__ import annotations

import asyncio
import gc
import ssl
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from opensqt.connector.auth.tls import Certificates
from opensqt.model.errors import ConfigError
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto.gateway_service_pb2_grpc import GatewayServiceStub
from tests.service.connector_rig import Rig, place, rig
from tests.service.gatekeeper import MAKER, PAGE, bearer, code_of, over_tls, write
from tests.support import eventually
from tests.support.authority import Authority, Pair

Code = grpc.StatusCode


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Pair:
    return authority.issue("server")


@asynccontextmanager
async def protected(server: Pair, **settings: Any) -> AsyncIterator[Rig]:
    async with rig(tls_cert_file=server.certificate, tls_key_file=server.key, **settings) as running:
        yield running


async def name_shown(address: str, authority: Authority) -> str:
    """The common name of the certificate that a new connection is shown."""
    context = ssl.create_default_context(cafile=str(authority.file))
    context.set_alpn_protocols(["h2"])
    port = int(address.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    subject = dict(pair[0] for pair in writer.get_extra_info("peercert")["subject"])
    writer.close()
    return str(subject["commonName"])


async def known_as(channel: grpc.aio.Channel, metadata: Any = ()) -> str:
    asked = gateway_pb.GetRateBudgetRequest()
    return str((await GatewayServiceStub(channel).GetRateBudget(asked, metadata=metadata, timeout=10)).client)


async def test_a_token_goes_over_tls(tmp_path: Path, authority: Authority, server: Pair) -> None:
    clients = write(tmp_path / "clients.yaml", PAGE)
    async with (
        protected(server, clients_file=clients) as running,
        over_tls(running.connector.address, authority.file) as channel,
    ):
        assert await known_as(channel, bearer("page")) == "page"
        assert await code_of(channel, "GetAccount") is Code.UNAUTHENTICATED
        assert await code_of(running.channel, "GetAccount", bearer("page")) is Code.UNAVAILABLE


async def test_a_new_certificate_is_shown_to_who_connects_then_and_disturbs_nobody(
    authority: Authority, server: Pair
) -> None:
    async with (
        protected(server) as running,
        over_tls(running.connector.address, authority.file) as channel,
    ):
        assert await name_shown(running.connector.address, authority) == "server"
        assert await known_as(channel) == "local"
        authority.issue("renewed", file="server")

        async def renewed() -> bool:
            return await name_shown(running.connector.address, authority) == "renewed"

        await eventually(renewed)
        assert await known_as(channel) == "local"


async def test_a_certificate_without_its_key_is_not_taken_up(authority: Authority, server: Pair) -> None:
    async with protected(server) as running:
        server.key.write_bytes(authority.issue("other").key.read_bytes())
        notes = await eventually(running.connector.reloads.checks)
        assert f"{server.key}: is not the key of the certificate in {server.certificate}" in notes[0].reason
        assert await name_shown(running.connector.address, authority) == "server"


async def test_a_certificate_that_ends_soon_is_told_in_the_status(authority: Authority) -> None:
    async with protected(authority.issue("server", life=timedelta(days=3))) as running:
        (note,) = running.connector.identity.checks()
    assert "the certificate ends on " in note.reason
    assert note.ok


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda pair: pair.key.write_text("canaryKey"), "expected a private key in PEM form, without a passphrase"),
        (lambda pair: pair.certificate.write_text("x"), "expected one or more certificates in PEM form"),
        (lambda pair: pair.certificate.unlink(), "can't be read: No such file or directory"),
    ],
)
async def test_a_file_that_is_none_ends_the_start_with_its_name(server: Pair, spoil: Any, said: str) -> None:
    """F33: no secret shows in a log, an error or a page."""
    spoil(server)
    with pytest.raises(ConfigError, match=said) as raised:
        async with protected(server):
            pass
    assert "canary" not in str(raised.value)


async def test_a_certificate_that_is_over_ends_the_start(authority: Authority) -> None:
    with pytest.raises(ConfigError, match=r"server\.pem: holds from .*, which is not now"):
        async with protected(authority.issue("server", life=timedelta(days=-1))):
            pass


async def test_without_a_clients_certificate_there_is_no_connection(authority: Authority, server: Pair) -> None:
    stranger = Authority(authority.file.parent, "stranger").issue("maker-host", file="forged")
    async with protected(server, tls_client_ca_file=authority.file) as running:
        for pair in (None, stranger):
            async with over_tls(running.connector.address, authority.file, pair) as channel:
                assert await code_of(channel, "GetAccount") is Code.UNAVAILABLE


async def test_a_certificate_of_the_authority_names_its_client(authority: Authority, server: Pair) -> None:
    async with (
        protected(server, tls_client_ca_file=authority.file) as running,
        over_tls(running.connector.address, authority.file, authority.issue("maker-host")) as channel,
        over_tls(running.connector.address, authority.file, authority.issue("no name")) as odd,
    ):
        assert await known_as(channel, (("x-client-name", "other"),)) == "maker-host"
        assert await code_of(channel, "PlaceOrder", (), place("a")) is Code.OK
        assert await code_of(odd, "GetAccount") is Code.UNAUTHENTICATED


async def test_the_clients_file_says_what_a_certificate_may(tmp_path: Path, authority: Authority, server: Pair) -> None:
    clients = write(tmp_path / "clients.yaml", PAGE | {"certificate": "page-host"}, MAKER)
    async with (
        protected(server, tls_client_ca_file=authority.file, clients_file=clients) as running,
        over_tls(running.connector.address, authority.file, authority.issue("page-host")) as page,
        over_tls(running.connector.address, authority.file, authority.issue("stranger")) as stranger,
    ):
        assert await known_as(page) == "page"
        assert await code_of(page, "PlaceOrder", (), place("a")) is Code.PERMISSION_DENIED
        assert await code_of(stranger, "GetAccount") is Code.UNAUTHENTICATED
        # A token does not make another client of it.
        assert await code_of(page, "GetAccount", bearer("maker")) is Code.UNAUTHENTICATED
        assert await code_of(stranger, "GetAccount", bearer("maker")) is Code.UNAUTHENTICATED


async def test_another_authority_holds_for_who_connects_then(
    tmp_path: Path, authority: Authority, server: Pair
) -> None:
    trusted = tmp_path / "clients-ca.pem"
    trusted.write_bytes(authority.file.read_bytes())
    maker = authority.issue("maker-host")
    async with protected(server, tls_client_ca_file=trusted) as running:
        trusted.write_bytes(Authority(tmp_path, "another").file.read_bytes())

        async def shut_out() -> bool:
            async with over_tls(running.connector.address, authority.file, maker) as channel:
                return await code_of(channel, "GetAccount") is Code.UNAVAILABLE

        await eventually(shut_out)


def test_each_certificate_is_handed_to_grpc_once(authority: Authority, server: Pair) -> None:
    """F31: gRPC puts what it is handed in the place of what other handshakes use; two at once end the process."""
    certificates = Certificates(server.certificate, server.key)
    certificates.load()
    held = weakref.ref(certificates.credentials())
    gc.collect()
    assert held() is not None
    assert certificates.take_renewed() is None
    certificates.load()
    assert certificates.take_renewed() is not None
    assert certificates.take_renewed() is None
