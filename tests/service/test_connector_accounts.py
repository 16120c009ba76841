"""A connector for an account, or with a region, that is not traded ends with 2 and says what to do in one line."""

from __future__ import annotations

import pytest

from opensqt.config.connector import ConnectorServerSettings
from opensqt.config.venue import VenueSettings
from opensqt.connector.server import Connector
from opensqt.model.errors import ConfigError, UnsupportedAccount
from opensqt.service import program
from opensqt.simulator import AccountSettings, Simulator, SimulatorSettings
from opensqt.venues.factory import create_exchange
from tests.support import start

MODULE = "opensqt.connector"
ANY_PORTS = ("--journal", ":memory:", "--port", "0", "--metrics-port", "0")
ACCOUNT = {"API_KEY": "sim-key", "API_SECRET": "sim-secret", "PASSPHRASE": "sim-pass"}
KEYS = {"api_key": "sim-key", "secret": "sim-secret", "passphrase": "sim-pass"}
LISTENS = ConnectorServerSettings(port=0, metrics_port=None)


async def refused(*arguments: str, **env: str) -> tuple[int, str]:
    """Run a connector that can't start; answer its exit code and the one line it says."""
    async with start(MODULE, *arguments, *ANY_PORTS, env={**ACCOUNT, **env}) as process:
        code = await process.wait(60)
    assert process.stdout == b""
    (line,) = process.stderr.decode().splitlines()
    return code, line


@pytest.mark.parametrize(
    ("venue", "mode", "sentence"),
    [
        ("bybit", "classic", "this Bybit account is a classic one: upgrade it to the unified trading account"),
        ("okx", "spot", "this OKX account is in spot mode, in which no swap trades: switch it to Futures mode"),
        ("okx", "portfolio", "in which OKX does not apply reduce-only orders: switch it to Futures mode"),
    ],
)
async def test_an_account_that_is_not_traded_ends_with_2_and_what_to_switch(
    venue: str, mode: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The connector is started in this process; its error is told as the command tells it."""
    accounts = (AccountSettings(account_mode=mode),)
    async with Simulator(SimulatorSettings(exchange=venue, port=0, past_minutes=10, accounts=accounts)) as simulator:
        line = await told(capsys, name=venue, base_url=simulator.url)
    assert sentence in line


async def told(capsys: pytest.CaptureFixture[str], **venue: str) -> str:
    """The line of a command whose connector does not start with these settings; it ends with 2."""
    connector = Connector(create_exchange(VenueSettings(**KEYS, **venue)), LISTENS, journal=":memory:")
    try:
        with pytest.raises((ConfigError, UnsupportedAccount)) as refusal:
            await connector.start()
    finally:
        await connector.stop()
    capsys.readouterr()
    assert program.report_failure(refusal.value) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


async def test_the_command_itself_ends_with_2_and_what_to_switch() -> None:
    accounts = (AccountSettings(account_mode="unified_isolated"),)
    async with Simulator(SimulatorSettings(exchange="bitget", port=0, past_minutes=10, accounts=accounts)) as simulator:
        code, line = await refused("--exchange", "bitget", "--base-url", simulator.url)
    assert code == 2
    assert line.startswith("error: ")
    assert "accountLevel 'isolated'): switch it to Basic or Advanced mode (bitget.com:" in line


async def test_an_unknown_region_ends_with_2_and_those_that_there_are() -> None:
    code, line = await refused("--exchange", "okx", OPENSQT__EXCHANGE__REGION="mars")
    assert code == 2
    assert line == "error: exchange.region 'mars': unknown on okx; expected one of global, eea, us"


async def test_a_region_without_a_test_network_ends_with_2_and_what_to_leave_out() -> None:
    code, line = await refused("--exchange", "bybit", "--testnet", OPENSQT__EXCHANGE__REGION="tr")
    assert code == 2
    assert "exchange.region 'tr': bybit has no test network there; leave out testnet (--testnet)" in line


async def test_a_region_without_a_perpetual_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """The simulated venue lists one that is margined in another asset only."""
    settings = SimulatorSettings(exchange="okx", port=0, past_minutes=10)
    others = tuple(
        each.model_copy(update={"symbol": "BTCUSDC", "quote_asset": "USDC"}) for each in settings.symbols[:1]
    )
    async with Simulator(settings.model_copy(update={"symbols": others})) as simulator:
        line = await told(capsys, name="okx", base_url=simulator.url)
    assert "okx lists no USDT-margined perpetual in region 'global': set exchange.region" in line
