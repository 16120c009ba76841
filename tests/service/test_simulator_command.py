"""exchange-simulator as a user starts it: a real process, its endpoints, its one-line errors."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from opensqt.simulator.__main__ import main
from opensqt.simulator.dialects import DIALECTS
from tests.support import Process, eventually, start
from tests.support.command import refusal
from tests.support.ports import free_ports

MODULE = "opensqt.simulator"
VENUES = sorted(DIALECTS)


def venues_ready(process: Process) -> list[tuple[str, str]]:
    """Address and name of each venue that said it is ready."""
    return re.findall(r"^exchange-simulator ready on (\S+) \((\w+)\)$", process.stdout.decode(), re.MULTILINE)


async def ask(process: Process, path: str, method: str = "GET", body: Any = None) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://{process.address}{path}", json=body) as response,
    ):
        return await response.json()


async def failure(*arguments: str) -> tuple[int, str]:
    """The exit code and the one line of a process that can't start."""
    async with start(MODULE, *arguments) as process:
        code = await process.wait(30)
    (line,) = process.output.strip().splitlines()
    return code, line


async def test_it_says_when_it_is_ready_tells_its_addresses_and_stops_with_0() -> None:
    async with start(MODULE, "--exchange", "binance", "--port", "0", "--seed", "7") as process:
        address = await process.ready()
        told = await ask(process, "/_sim")
        assert (told["exchange"], told["url"]) == ("binance", f"http://{address}")
        assert told["rest"]["fapi_v1"] == f"http://{address}/fapi/v1"
        assert told["ws"]["ws"] == f"ws://{address}/ws"
        assert (told["symbols"], told["finished"]) == (["BTCUSDT", "ETHUSDT"], False)
        process.send(signal.SIGTERM)
        assert await process.wait() == 0


def refused(*arguments: str) -> tuple[int, str]:
    """The exit code and the one line of a command that ends before it starts anything."""
    code, printed = refusal(main, *arguments)
    (line,) = printed.strip().splitlines()
    return code, line


async def test_the_ledger_has_the_account_and_the_servers_statistics() -> None:
    async with start(MODULE, "--port", "0", "--clock", "manual") as process:
        await process.ready()
        await ask(process, "/fapi/v1/time")
        ledger = await ask(process, "/_sim/ledger")
        assert ledger["accounts"]["sim-key"]["wallet_balance"] == "10000"
        assert ledger["statistics"]["requests"] == {"time": 1}
        assert ledger["statistics"]["connections_open"] == {"market": 0, "private": 0}


async def test_a_manual_clock_steps_the_market_and_an_outside_order_and_a_pause_reach_it() -> None:
    async with start(MODULE, "--port", "0", "--clock", "manual") as process:
        await process.ready()
        before = (await ask(process, "/_sim"))["market_time_ms"]
        await ask(process, "/_sim/clock", "POST", {"advance_ms": 1500})
        assert (await ask(process, "/_sim"))["market_time_ms"] == before + 1500
        order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.001"}
        assert (await ask(process, "/_sim/market", "POST", order))["filled"] == "0.001"
        await ask(process, "/_sim/market", "POST", {"symbol": "BTCUSDT", "pause": True})
        ticker = "/fapi/v1/ticker/bookTicker?symbol=BTCUSDT"
        before = await ask(process, ticker)
        await ask(process, "/_sim/clock", "POST", {"advance_ms": 5000})
        after = await ask(process, ticker)
        assert (after["bidPrice"], after["askPrice"]) == (before["bidPrice"], before["askPrice"])


async def test_a_market_is_disturbed_through_the_endpoint_and_a_bad_request_is_explained() -> None:
    """A rehearsal can take a side of the book away, sweep it, and move it away from the mark."""
    async with start(MODULE, "--port", "0", "--clock", "manual") as process:
        await process.ready()
        request = {"symbol": "BTCUSDT", "disturb": "hole", "side": "SELL", "distance": "0.02", "for_ms": 500}
        assert (await ask(process, "/_sim/market", "POST", request))["disturb"] == "hole"
        quote = await ask(process, "/fapi/v1/ticker/bookTicker?symbol=BTCUSDT")
        assert float(quote["askPrice"]) / float(quote["bidPrice"]) > 1.019
        sweep = {"symbol": "BTCUSDT", "disturb": "sweep", "side": "SELL", "distance": "0.001"}
        assert float((await ask(process, "/_sim/market", "POST", sweep))["filled"]) > 0
        flash = {"symbol": "BTCUSDT", "disturb": "flash", "side": "BUY", "distance": "0.01"}
        assert (await ask(process, "/_sim/market", "POST", flash))["error"].startswith("for_ms 0: expected above zero")
        bare = {"symbol": "BTCUSDT", "disturb": "hole"}
        assert (await ask(process, "/_sim/market", "POST", bare))["error"].startswith("side, distance: expected both")


async def test_a_recording_is_replayed_to_its_end(tmp_path: Path) -> None:
    rows = [f"2022-01-01 00:{minute:02}:00,46000,46050,45950,46010,1000000" for minute in range(2)]
    file = tmp_path / "bars.csv"
    file.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows, ""]))
    async with start(MODULE, "--port", "0", "--replay", str(file), "--clock", "manual") as process:
        await process.ready()
        told = await ask(process, "/_sim")
        assert 1640995200000 <= told["market_time_ms"] < 1640995320000
        await ask(process, "/_sim/clock", "POST", {"advance_ms": 121_000})
        assert (await ask(process, "/_sim"))["finished"] is True


async def test_any_symbols_trade_at_once_by_recordings_rules_and_prices(tmp_path: Path) -> None:
    """F35: each by what is known of it; nothing else trades."""
    recording, rules = tmp_path / "sol.csv", tmp_path / "rules.json"
    recording.write_text("timestamp,open,high,low,close,base_volume\n1735689600,142.51,143,142,142.6,900\n")
    rules.write_text(json.dumps({"symbols": [{"symbol": "DOGEUSDT", "price_step": "0.00001", "quantity_step": "1"}]}))
    flags = ["--symbol", "1000PEPEUSDT@0.0112", "--symbol", "dogeusdt", "--rules", str(rules)]
    flags += ["--replay", f"SOLUSDT={recording}", "--clock", "manual"]
    async with start(MODULE, "--port", "0", *flags) as process:
        await process.ready()
        listed = (await ask(process, "/fapi/v1/exchangeInfo"))["symbols"]
    ticks = {row["symbol"]: row["filters"][0]["tickSize"] for row in listed}
    assert ticks == {"1000PEPEUSDT": "0.000001", "DOGEUSDT": "0.00001", "SOLUSDT": "0.01"}


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--symbol", "XRPUSDT"), "--symbol XRPUSDT: expected a symbol with rules (--rules FILE), with a recording"),
        (("--replay", "XRPUSDT=/no/such.csv"), "/no/such.csv: can't be read: No such file"),
        (("--rules", "/no/such.yaml"), "/no/such.yaml: can't be read"),
    ],
)
async def test_a_market_that_cant_be_made_is_refused_with_one_line(flags: tuple[str, ...], complaint: str) -> None:
    """The option and its value are named, and what is expected."""
    code, line = await failure("--port", "0", *flags)
    assert code == 2
    assert complaint in line


async def test_faults_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"faults": [{"kind": "error_before", "on": "time", "code": -1001}]}))
    async with start(MODULE, "--port", "0", "--faults", str(file)) as process:
        await process.ready()
        assert (await ask(process, "/fapi/v1/time"))["code"] == -1001
        assert "serverTime" in await ask(process, "/fapi/v1/time")


def test_a_bad_fault_file_is_refused_with_its_key(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("faults:\n  - kind: cut\n    chanel: private\n")
    code, line = refused("--faults", str(file))
    assert code == 2
    assert "faults.0.chanel" in line


async def test_all_venues_are_served_by_one_process_on_consecutive_ports_each_with_its_own_ledger() -> None:
    """The ports are given in the alphabetical order of the venues."""
    first = free_ports(len(VENUES))
    async with start(MODULE, "--exchange", "all", "--port", str(first), "--clock", "manual") as process:
        await eventually(lambda: len(venues_ready(process)) == len(VENUES), what="every venue ready")
        assert venues_ready(process) == [(f"127.0.0.1:{first + place}", name) for place, name in enumerate(VENUES)]
        market_times = {}
        for place, (address, name) in enumerate(venues_ready(process)):
            process.address = address
            told = await ask(process, "/_sim")
            assert (told["exchange"], told["url"]) == (name, f"http://{process.address}")
            await ask(process, "/_sim/clock", "POST", {"advance_ms": 1000 * place})
            ledger = await ask(process, "/_sim/ledger")
            market_times[name] = ledger["market_time_ms"] - told["market_time_ms"]
            assert ledger["accounts"]["sim-key"]["wallet_balance"] == "10000"
        assert market_times == {name: 1000 * place for place, name in enumerate(VENUES)}
        process.send(signal.SIGTERM)
        assert await process.wait() == 0


async def test_all_venues_take_any_free_ports_when_none_is_given() -> None:
    async with start(MODULE, "--exchange", "all", "--port", "0") as process:
        await eventually(lambda: len(venues_ready(process)) == len(VENUES), what="every venue ready")
        assert [name for _, name in venues_ready(process)] == VENUES


async def test_when_one_port_is_in_use_no_venue_is_served() -> None:
    first = free_ports(len(VENUES))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first + 1))
        taken.listen()
        code, line = await failure("--exchange", "all", "--port", str(first))
    assert code == 2
    assert line.startswith(f"error: port {first + 1}: already in use")


def test_the_ports_of_all_venues_must_exist() -> None:
    assert refused("--exchange", "all", "--port", "65535") == (
        2,
        f"error: --port 65535: expected at most {65536 - len(VENUES)}, for {len(VENUES)} venues",
    )


def test_an_unknown_exchange_lists_the_known() -> None:
    known = ", ".join(sorted(DIALECTS))
    assert refused("--exchange", "kraken") == (2, f"error: exchange 'kraken': expected one of {known}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--port", "abc"), "--port abc"),
        (("--speed", "0"), "--speed 0"),
        (("--clock", "fast"), "--clock fast"),
        (("--replay", "/nowhere/bars.csv"), "/nowhere/bars.csv"),
        (("--faults", "/nowhere/faults.json"), "/nowhere/faults.json"),
    ],
)
def test_a_bad_argument_is_one_plain_sentence_and_code_2(arguments: tuple[str, ...], words: str) -> None:
    code, line = refused(*arguments)
    assert code == 2
    assert words in line


async def test_a_host_that_is_not_this_machines_is_one_plain_sentence_and_code_2() -> None:
    code, line = await failure("--port", "0", "--host", "192.0.2.1")
    assert code == 2
    assert "192.0.2.1:0" in line


async def test_a_port_in_use_is_one_plain_sentence_and_code_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, line = await failure("--port", str(port))
    assert code == 2
    assert line.startswith(f"error: port {port}: already in use")


async def place(process: Process, price: str) -> None:
    """Buy 0.01 BTC by a signed request."""
    now_ms = (await ask(process, "/fapi/v1/time"))["serverTime"]
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    query = urlencode({**order, "price": price, "newClientOrderId": f"at-{price}", "timestamp": now_ms})
    signature = hmac.new(b"sim-secret", query.encode(), hashlib.sha256).hexdigest()
    url = f"http://{process.address}/fapi/v1/order?{query}&signature={signature}"
    async with (
        aiohttp.ClientSession(headers={"X-MBX-APIKEY": "sim-key"}) as session,
        session.post(url) as response,
    ):
        assert response.status == 200, await response.text()


async def test_requests_at_market_times_give_the_ledger_of_any_speed(tmp_path: Path) -> None:
    """F35: the clock waits for the tape, so a replay faster than the machine has the times and prices of a slow one."""
    start_ms, minute_ms = 1_641_022_200_000, 60_000
    opens = range(46_000, 45_600, -10)
    bars = [f"{start_ms + n * minute_ms},{p},{p + 30},{p - 30},{p - 10},2300000" for n, p in enumerate(opens)]
    recording = tmp_path / "bars.csv"
    recording.write_text("\n".join(["timestamp,open,high,low,close,volume", *bars]))

    async def ledger(clock: str, *flags: str) -> Any:
        async with start(MODULE, "--port", "0", "--replay", str(recording), "--clock", clock, *flags) as process:
            await process.ready()
            now_ms = (await ask(process, "/_sim"))["market_time_ms"]
            for minutes, price in ((7, "45900"), (11, "45800"), (23, "45700"), (36, "")):
                until_ms = start_ms + minutes * minute_ms
                move = {"advance_ms": until_ms - now_ms} if clock == "manual" else {"until_ms": until_ms}
                now_ms = (await ask(process, "/_sim/clock", "POST", move))["market_time_ms"]
                assert now_ms == until_ms
                if price:
                    await place(process, price)
            return {name: value for name, value in (await ask(process, "/_sim/ledger")).items() if name != "statistics"}

    played = await ledger("held", "--speed", "1000000000")
    assert json.dumps(played) == json.dumps(await ledger("manual"))
    assert played["accounts"]["sim-key"]["fills"]
    assert played["accounts"]["sim-key"]["funding_payments"]
