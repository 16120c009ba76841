"""docs/security.md is true: its commands make what a connector and a client then run with."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
import yaml

from opensqt.connector.auth.clients import ClientsFile
from opensqt.connector.auth.roles import REQUIRED
from tests.service.connector_rig import rig
from tests.service.gatekeeper import code_of, over_tls
from tests.support.authority import Pair

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


def block(language: str, holds: str) -> str:
    """The one code block of a language that holds a text."""
    (found,) = [text for kind, text in BLOCKS if kind == language and holds in text]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page's commands leave behind."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    tokens = block("bash", "token new --name page").replace("opensqt ", f"{sys.executable} -m opensqt.cli ")
    made = tmp_path_factory.mktemp("page")
    for script in (tokens, block("bash", "openssl req -x509")):
        subprocess.run(["bash", "-ec", script], cwd=made, check=True, capture_output=True)
    return made


async def test_its_commands_protect_a_connector(folder: Path) -> None:
    server = {"tls_cert_file": folder / "server.pem", "tls_key_file": folder / "server.key"}
    settings = {
        **server,
        "tls_client_ca_file": folder / "authority.pem",
        "host": "0.0.0.0",
        "metrics_host": "127.0.0.1",
    }
    maker = Pair(folder / "maker-host.pem", folder / "maker-host.key")
    async with (
        rig(**settings) as running,
        over_tls(running.connector.address, folder / "authority.pem", maker) as known,
        over_tls(running.connector.address, folder / "authority.pem") as unknown,
    ):
        assert await code_of(known, "GetAccount") is grpc.StatusCode.OK
        assert await code_of(unknown, "GetAccount") is grpc.StatusCode.UNAVAILABLE


async def test_its_clients_file_is_one(folder: Path) -> None:
    by_hand = ClientsFile.model_validate(yaml.safe_load(block("yaml", "token_sha256")))
    made = ClientsFile.model_validate(yaml.safe_load((folder / "clients.yaml").read_text()))
    assert [client.name for client in by_hand.clients] == ["maker"]
    assert [(client.name, client.role) for client in made.clients] == [("page", "read"), ("maker", "trade")]


def test_its_table_of_roles_is_the_connectors() -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| PlaceOrder, ")]
    named = set(re.findall(r"\w+", row.split("|")[1]))
    assert named == {method for method, role in REQUIRED.items() if role == "trade"}
