"""A market maker in standby, seen from outside: what it says, and what becomes of the orders."""

from __future__ import annotations

import signal
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import yaml

from opensqt.cli.control import ControlClient
from opensqt.config.market_maker import MarketMakerSettings
from opensqt.market_maker.store.holder_watch import STALE_S
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError
from tests.chaos.standby_rig import in_standby
from tests.service.grid_rig import FEE, SYMBOL, Chain, chain, get
from tests.service.test_market_maker_portfolio import ETHER, PLENTY, SHARED, SYMBOLS
from tests.support import Process, eventually, start
from tests.support.blocking import in_thread
from tests.support.postgres import Cluster, missing


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Cluster.running() as made:
        yield made


@pytest.fixture
async def url(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """An empty database."""
    connection = await asyncpg.connect(cluster.url)
    name = f"standby{abs(hash(request.node.name))}"
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return cluster.url.removesuffix("postgres") + name


def metrics(maker: Process) -> str:
    with urllib.request.urlopen(f"http://{maker.address}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


async def test_a_second_start_is_refused_and_says_who_trades(tmp_path: Path, url: str) -> None:
    """F42: without --standby it ends with code 2, and names the process and the way."""
    database = {"OPENSQT__APP__DATABASE_URL": url}
    async with chain(tmp_path) as made, made.maker(**database) as first:
        await first.ready()
        async with made.maker(**database) as second:
            assert await second.wait() == 2, second.output
        said = second.stderr.decode()
        assert f"pid {first.pid}, number 1; stop it first, or start this one with --standby" in said
        assert first.returncode is None


async def test_a_stop_in_good_order_hands_over(tmp_path: Path, url: str) -> None:
    """The one that waits is healthy and says for whom; it trades when the first one has given up, and has cancelled."""
    database = {"OPENSQT__APP__DATABASE_URL": url}
    async with (
        chain(tmp_path) as made,
        made.maker("--standby", **database) as first,
        made.maker(OPENSQT__SYSTEM__STANDBY="true", **database) as second,
    ):
        trading, waiting = await _roles(first, second)
        holder = f"pid {trading.pid} ({SYMBOL}, number 1), renewed"

        async def named() -> bool:
            return holder in (await in_thread(get, waiting, "/health"))["standby"]

        await eventually(named, what="the one that waits has read the row")
        health = await in_thread(get, waiting, "/health")
        assert (health["healthy"], health["problems"]) == (True, [])
        assert f'market_maker_standby{{symbol="{SYMBOL}"}} 1.0' in await in_thread(metrics, waiting)
        assert f'market_maker_standby{{symbol="{SYMBOL}"}} 0.0' in await in_thread(metrics, trading)
        await eventually(lambda: len(made.open_orders) >= 5)
        trading.send(signal.SIGTERM)
        assert await trading.wait() == 0, trading.output
        await waiting.ready()
        status = await in_thread(get, waiting, "/status")
        assert (status["holder"]["role"], status["holder"]["number"]) == ("trading", 2)
        assert "taken over" not in waiting.output
        await eventually(lambda: len(made.open_orders) >= 5)


async def test_a_standby_answers_opensqt_status_and_takes_no_command(tmp_path: Path, url: str) -> None:
    """On a machine of its own; after it took over, the same socket commands the grid."""
    database = {"OPENSQT__APP__DATABASE_URL": url}
    with tempfile.TemporaryDirectory(prefix="sq") as folder:
        path = Path(folder) / "control"
        async with (
            chain(tmp_path) as made,
            made.maker(**database) as first,
        ):
            await first.ready()
            async with made.maker("--standby", OPENSQT__SYSTEM__CONTROL_SOCKET=str(path), **database) as second:
                await in_standby(second)
                client = ControlClient(MarketMakerSettings(), path)
                status = await client.status()
                assert (status["phase"], status["holder"]["role"]) == ("STANDBY", "standby")
                with pytest.raises(ConfigError, match=f"give it to the other one; standby: .* pid {first.pid}"):
                    await client.post("pause", {})
                first.send(signal.SIGTERM)
                await second.ready()
                status = await client.status()
                assert (status["phase"], status["holder"]["role"]) == ("RUNNING", "trading")


async def test_a_standby_of_another_client_pulls_nothing_of_its_own(tmp_path: Path, url: str) -> None:
    """With different names the first one's lease ends after the take-over: its orders go, and are placed again."""
    database = {"OPENSQT__APP__DATABASE_URL": url, "OPENSQT__SYSTEM__LEASE_SECONDS": "8"}
    async with (
        chain(tmp_path) as made,
        made.maker(OPENSQT__EXCHANGES__REMOTE__NAME="maker-a", **database) as first,
    ):
        await first.ready()
        await eventually(lambda: len(made.open_orders) >= 5)
        async with made.maker("--standby", OPENSQT__EXCHANGES__REMOTE__NAME="maker-b", **database) as second:
            await in_standby(second)
            before = {order["client_order_id"] for order in made.open_orders}
            first.send(signal.SIGKILL)
            await second.ready()

            def replaced() -> bool:
                now = {order["client_order_id"] for order in made.open_orders}
                return len(now) >= 5 and not now & before

            await eventually(replaced)
            second.send(signal.SIGTERM)
            assert await second.wait() == 0, second.output
        assert made.open_orders == []
        assert made.account["duplicate_client_order_ids"] == []


async def test_one_that_wakes_up_cancels_nothing(tmp_path: Path, url: str) -> None:
    """F42: its prices are old by then, so it would pull its entries at once; they are the other one's now."""
    database = {"OPENSQT__APP__DATABASE_URL": url, "OPENSQT__TRADING__PRICE_MAX_AGE_SECONDS": "2"}
    async with (
        chain(tmp_path) as made,
        made.maker(OPENSQT__EXCHANGES__REMOTE__NAME="maker-a", **database) as first,
    ):
        await first.ready()
        await eventually(lambda: len(made.open_orders) >= 5)
        async with made.maker("--standby", OPENSQT__EXCHANGES__REMOTE__NAME="maker-b", **database) as second:
            await in_standby(second)
            first.send(signal.SIGSTOP)
            await second.ready()
            await eventually(lambda: any('"maker-b"' in line for line in _audited(made)))
            before = len(_audited(made))
            first.send(signal.SIGCONT)
            assert await first.wait() == 5, first.output
            later = [line for line in _audited(made)[before:] if '"maker-a"' in line]
            assert not [line for line in later if "Cancel" in line]
            second.send(signal.SIGTERM)
            assert await second.wait() == 0, second.output


def _audited(made: Chain) -> list[str]:
    """The calls that change something, as the connector has written them down."""
    return [line for line in made.connector.output.splitlines() if '"logger":"audit"' in line]


async def test_several_symbols_are_taken_over_together(tmp_path: Path, url: str) -> None:
    """The first one wakes up and ends with code 5; its orders are the other one's, and it pulls none."""
    settings = {
        "app": {"database_url": url},
        "exchanges": {"binance": {"fee_rate": str(FEE)}},
        "trading": {**SHARED, "symbols": [{"symbol": "BTCUSDT"}, ETHER]},
        "telemetry": {"metrics_port": 0},
        "system": {"standby": True},
    }
    path = tmp_path / "grids.yaml"
    path.write_text(yaml.safe_dump(settings))
    async with chain(tmp_path, symbols=SYMBOLS, server=PLENTY) as made:
        env = {"EXCHANGE_GRPC_ADDRESS": made.connector.address}
        arguments = ("opensqt.market_maker", "--config", str(path))
        async with (
            start(*arguments, env=env, cwd=tmp_path) as first,
            start(*arguments, env=env, cwd=tmp_path) as second,
        ):
            trading, waiting = await _roles(first, second)
            assert (await in_thread(get, waiting, "/status"))["symbols"] == ["BTCUSDT", "ETHUSDT"]
            trading.send(signal.SIGSTOP)
            await waiting.ready()
            status = await in_thread(get, waiting, "/status")
            assert {name: grid["holder"]["number"] for name, grid in status["grids"].items()} == {
                "BTCUSDT": 2,
                "ETHUSDT": 2,
            }
            trading.send(signal.SIGCONT)
            assert await trading.wait() == 5, trading.output
            assert "left the orders to that one" in trading.stderr.decode()
            assert "could not be cancelled" not in trading.output
            waiting.send(signal.SIGTERM)
            assert await waiting.wait() == 0, waiting.output
        await _every_order_is_known(made, url)


async def test_with_sqlite_a_standby_takes_over_from_a_process_that_has_ended(tmp_path: Path) -> None:
    """The system releases the lock of the file with the process."""
    async with chain(tmp_path) as made, made.maker() as first:
        await first.ready()
        async with made.maker("--standby") as second:
            await in_standby(second)
            await eventually(lambda: len(made.open_orders) >= 5)
            first.send(signal.SIGKILL)
            await second.ready()
            status = await in_thread(get, second, "/status")
            assert status["holder"]["number"] == 2


async def test_a_standby_without_the_database_says_so_and_goes_on(tmp_path: Path, cluster: Cluster, url: str) -> None:
    """F52: both lose it; none is taken for dead, and when it is back the first one trades and the second one waits."""
    database = {"OPENSQT__APP__DATABASE_URL": url}
    async with (
        chain(tmp_path) as made,
        made.maker("--standby", **database) as first,
        made.maker("--standby", **database) as second,
    ):
        trading, waiting = await _roles(first, second)
        cluster.stop()

        async def reported() -> bool:
            problems = (await in_thread(get, waiting, "/status"))["problems"]
            return any("database: not readable" in problem for problem in problems)

        await eventually(reported)
        stale_at = time.monotonic() + STALE_S + 1
        await eventually(lambda: time.monotonic() > stale_at)
        cluster.start()

        async def well() -> bool:
            found = [await in_thread(get, one, "/status") for one in (trading, waiting)]
            return not any(status["problems"] for status in found)

        await eventually(well)
        assert (await in_thread(get, trading, "/status"))["holder"]["number"] == 1
        assert (await in_thread(get, waiting, "/status"))["phase"] == "STANDBY"


async def _roles(first: Process, second: Process) -> tuple[Process, Process]:
    """Wait until one of two trades and the other waits, and return them so."""
    await eventually(lambda: b"ready on" in first.stdout + second.stdout)
    trading, waiting = (first, second) if b"ready on" in first.stdout else (second, first)
    await trading.ready()
    await in_standby(waiting)
    return trading, waiting


async def _every_order_is_known(made: Chain, url: str) -> None:
    store = await Store.open(url)
    own = {one.client_order_id for name in ("BTCUSDT", "ETHUSDT") for one in await store.orders(name)}
    await store.close()
    assert {order["client_order_id"] for order in made.account["orders"]} <= own
    assert made.account["duplicate_client_order_ids"] == []
    assert made.open_orders == []
