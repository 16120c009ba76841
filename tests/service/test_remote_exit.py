"""Our own commands as clients of a connector that does not let them in: one plain sentence, exit code 3."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensqt.model.errors import PermissionDenied, TokenRefused
from tests.service.scripted_connector import ScriptedConnector
from tests.support.grpc_server import serving
from tests.support.process import run_program

COMMANDS = {
    "opensqt": ("opensqt.cli", "status"),
    "market-maker": ("opensqt.market_maker",),
    "live": ("opensqt.live_server",),
}


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_refused_token_ends_a_command_with_code_3(command: str, tmp_path: Path) -> None:
    """F33: no secret shows in a log, an error or a page."""
    connector = ScriptedConnector()
    connector.script("GetStatus", TokenRefused("the token is not known"))
    env = {"CONNECTOR_TOKEN": "canary-token"}
    if command == "market-maker":
        env["OPENSQT__APP__DATABASE_URL"] = f"sqlite:///{tmp_path}/grid.db"
    async with serving(connector.register) as port:
        env["EXCHANGE_GRPC_ADDRESS"] = f"127.0.0.1:{port}"
        code, said = await run_program("-m", *COMMANDS[command], env=env)
    assert code == 3
    assert said.splitlines()[-1] == (
        f"error: connector 127.0.0.1:{port} refuses this client: the token is not known;"
        " check CONNECTOR_TOKEN (exchanges.remote.token) or the client certificate"
    )
    assert "canary" not in said


async def test_a_role_that_may_not_ends_a_command_with_code_3() -> None:
    connector = ScriptedConnector()
    connector.script("GetExchangeInfo", PermissionDenied("the role read may not"))
    async with serving(connector.register) as port:
        env = {"EXCHANGE_GRPC_ADDRESS": f"127.0.0.1:{port}"}
        code, said = await run_program("-m", "opensqt.cli", "status", env=env)
    assert (code, said.splitlines()[-1]) == (3, "error: the role read may not")


async def test_a_token_that_would_travel_in_plain_text_is_a_configuration_error() -> None:
    """F33: no secret shows in a log, an error or a page."""
    env = {"CONNECTOR_TOKEN": "canary-token", "EXCHANGE_GRPC_ADDRESS": "gateway.example:50051"}
    code, said = await run_program("-m", "opensqt.cli", "status", env=env)
    assert code == 2
    assert "it would travel to gateway.example:50051 in plain text" in said
    assert "canary" not in said
