"""RemoteExchange over TLS: it trusts the authority that it was given, and nobody else."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from opensqt.config.remote import RemoteSettings
from opensqt.exchange.remote import RemoteExchange
from opensqt.model.errors import ConnectorUnavailable
from tests.service.scripted_connector import ScriptedConnector

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for localhost; answer its file and its key's."""
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(pem)]
    subprocess.run([str(OPENSSL), *made, *subject], check=True, capture_output=True)
    return pem, key


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"), "ours")


def credentials(ours: tuple[Path, Path], clients: Path | None) -> grpc.ServerCredentials:
    pem, key = ours
    authority = clients.read_bytes() if clients else None
    return grpc.ssl_server_credentials([(key.read_bytes(), pem.read_bytes())], authority, clients is not None)


@asynccontextmanager
async def encrypted(ours: tuple[Path, Path], clients: Path | None = None) -> AsyncIterator[int]:
    """Serve over TLS; with *clients* only to those whose certificate that authority signed."""
    server = grpc.aio.server()
    ScriptedConnector().register(server)
    bound = server.add_secure_port("localhost:0", credentials(ours, clients))
    await server.start()
    yield bound
    await server.stop(None)


@pytest.fixture
async def port(ours: tuple[Path, Path]) -> AsyncIterator[int]:
    async with encrypted(ours) as bound:
        yield bound


def remote(port: int, authority: Path | None, **more: Path) -> RemoteExchange:
    settings = RemoteSettings(
        base_url=f"localhost:{port}", tls_ca_file=authority, token="a-token", retry_scale=0.0001, deadline_s=5, **more
    )
    return RemoteExchange(settings)


async def test_a_connector_whose_authority_is_known_is_trusted(port: int, ours: tuple[Path, Path]) -> None:
    async with remote(port, ours[0]) as exchange:
        assert (await exchange.get_status()).checks == ()


async def test_another_authority_is_not_trusted(port: int, tmp_path: Path) -> None:
    with pytest.raises(ConnectorUnavailable):
        await remote(port, certificate(tmp_path, "other")[0]).start()


async def test_plain_text_does_not_reach_a_connector_that_wants_tls(port: int) -> None:
    with pytest.raises(ConnectorUnavailable):
        await remote(port, None).start()


async def test_a_client_certificate_is_shown_where_one_is_asked_for(ours: tuple[Path, Path], tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "client")
    async with (
        encrypted(ours, clients=pem) as port,
        remote(port, ours[0], tls_cert_file=pem, tls_key_file=key) as exchange,
    ):
        assert (await exchange.get_status()).checks == ()


async def test_without_a_client_certificate_such_a_connector_is_not_reached(
    ours: tuple[Path, Path], tmp_path: Path
) -> None:
    pem, _ = certificate(tmp_path, "client")
    async with encrypted(ours, clients=pem) as port:
        with pytest.raises(ConnectorUnavailable):
            await remote(port, ours[0]).start()
