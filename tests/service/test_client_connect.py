"""opensqt.connect: the way in for a program of one's own, before a real connector."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
import structlog

import opensqt
from tests.service.connector_rig import rig
from tests.support.process import run_program


async def test_a_program_of_five_lines_reads_the_price() -> None:
    async with rig() as made, opensqt.connect(made.connector.address) as exchange:
        assert (await exchange.get_latest_price("BTCUSDT")).bid == Decimal(100)


async def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig() as made:
        monkeypatch.setenv("EXCHANGE_GRPC_ADDRESS", made.connector.address)
        async with opensqt.connect() as exchange:
            assert (await exchange.get_status()).healthy


async def test_the_name_is_what_the_connector_calls_us() -> None:
    async with rig() as made, opensqt.connect(made.connector.address, name="mean-reversion") as exchange:
        assert (await exchange.get_rate_budget()).client == "mean-reversion"


async def test_an_argument_that_cannot_be_used_is_told_at_once() -> None:
    with pytest.raises(opensqt.ConfigError, match="expected HOST:PORT"):
        opensqt.connect("nowhere")


async def test_a_connector_that_is_not_there_is_told_by_name(caplog: pytest.LogCaptureFixture) -> None:
    exchange = opensqt.connect("127.0.0.1:1", attempts=1)
    with pytest.raises(opensqt.errors.ConnectorUnavailable, match=r"127\.0\.0\.1:1: not ready after 1 attempts"):
        await exchange.start()
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == ["opensqt.remote"]


async def test_our_lines_go_to_the_programs_logging_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """F33: no secret shows in a log, an error or a page."""
    opensqt.connect("127.0.0.1:1", token="canary-token", attempts=1)
    structlog.stdlib.get_logger("remote").warning("refused with canary-token", address="canary-token")
    assert caplog.messages == ["refused with *** (address=***)"]


async def test_a_program_that_sets_no_logging_up_sees_no_line_of_ours() -> None:
    async with rig() as made:
        script = (
            f"async def main():\n  async with opensqt.connect('{made.connector.address}'): pass\nasyncio.run(main())"
        )
        code, output = await run_program("-c", f"import asyncio, opensqt\n{script}")
    assert (code, output) == (0, "")
