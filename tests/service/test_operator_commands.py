"""`opensqt doctor`, `status`, `summary` and the JSON of the other commands, beside real processes."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import struct
import sys
import termios
from contextlib import suppress
from datetime import UTC, datetime
from fcntl import ioctl
from pathlib import Path

from opensqt.market_maker.store.store import Store
from tests.service.grid_rig import SYMBOL
from tests.service.test_control import rig
from tests.support import eventually, start
from tests.support.process import KEPT


async def opensqt(*arguments: str, folder: Path, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    async with start("opensqt.cli", *arguments, env={"COLUMNS": "160", **(env or {})}, cwd=folder) as process:
        code = await process.wait()
    return code, process.stdout.decode(), process.stderr.decode()


async def test_a_running_market_maker_is_examined_watched_and_summed_up(tmp_path: Path) -> None:
    """One connector and one market maker for all: what the text says is in the JSON."""
    async with rig(tmp_path, price_interval="5") as one, one.maker() as maker:
        await maker.ready()
        address = {"EXCHANGE_GRPC_ADDRESS": one.made.connector.address}
        await eventually(lambda: len(one.made.account["fills"]) >= 4)

        report = await one.json("doctor")
        results = {finding["name"]: finding["result"] for finding in report["findings"]}
        assert report["ok"], report
        assert {"disk", "database", "connector", "versions", "clock", "key", "balance", "leverage"} <= results.keys()
        assert results["market maker"] == "ok"
        assert results["alerts"] == "warn"
        code, text, _ = await one.run("doctor")
        assert code == 0
        assert text.count("OK   ") == sum(result == "ok" for result in results.values())
        assert all("->" in line for line in text.split("WARN ")[1:])

        status = await one.json("status")
        assert (status["symbol"], status["phase"], status["problems"]) == (SYMBOL, "RUNNING", [])
        code, text, _ = await one.run("status")
        assert (code, "healthy" in text, max(map(len, text.splitlines())) <= 160) == (0, True, True)

        shown = await in_terminal(tmp_path, "status", "--config", str(one.file), "--watch", until="realized")
        assert "open profit" in shown
        where = ("--address", one.made.connector.address)
        shown = await in_terminal(tmp_path, "status", "--watch", *where, until="open orders")
        assert "rate limits left" in shown

        code, out, error = await opensqt("status", "--json", folder=tmp_path, env=address)
        connector = json.loads(out)
        assert (code, connector["trading_possible"], connector["exchange"]) == (0, True, "binance"), error
        assert connector["version"]
        assert len(connector["open_orders"]) >= 5

        maker.send(signal.SIGTERM)
        assert await maker.wait() == 0
        today = datetime.now(UTC).date()
        summary = await one.json("summary", "--day", today.isoformat())
        store = await Store.open(f"sqlite:///{tmp_path}/grid.db")
        try:
            fills = await store.fills(SYMBOL)
        finally:
            await store.close()
        assert summary["fills"] == len([fill for fill in fills if same_day(fill.fill.event_time_ms, today)])
        assert summary["alerts"] == 0
        code, out, _ = await one.run("summary", "--day", today.isoformat())
        assert (code, "round trips" in out) == (0, True)

        kill = ("cancel-all", "--everything", "--yes", "--hold", "--json")
        code, out, _ = await opensqt(*kill, folder=tmp_path, env=address)
        assert (code, json.loads(out)["proven"], json.loads(out)["halted"]) == (0, True, True)
        code, out, _ = await opensqt("resume", "--json", folder=tmp_path, env=address)
        assert (code, len(json.loads(out)["resumed"]), json.loads(out)["still_halted"]) == (0, 1, [])


def same_day(time_ms: int, day: object) -> bool:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date() == day


async def test_doctor_says_what_fails_and_ends_with_1(tmp_path: Path) -> None:
    """No connector, a database that is none, a token that others can read: each has its line, and what to do."""
    (tmp_path / "grid.db").write_text("this is no database, and long enough to be looked at")
    token = tmp_path / "token"
    token.write_text("sqt_canary12345")
    token.chmod(0o644)
    file = tmp_path / "config.yaml"
    settings = {"app": {"database_url": "sqlite:///grid.db"}, "exchanges": {"remote": {"base_url": "127.0.0.1:9"}}}
    file.write_text(json.dumps(settings))
    env = {"CONNECTOR_TOKEN_FILE": str(token), "OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE": "0.001"}
    code, out, error = await opensqt("doctor", "--config", str(file), "--json", folder=tmp_path, env=env)
    assert code == 1, error
    results = {finding["name"]: finding for finding in json.loads(out)["findings"]}
    assert results["database"]["result"] == results["connector"]["result"] == "fail"
    assert results["mode of CONNECTOR_TOKEN_FILE"]["result"] == "warn"
    assert "chmod 600" in results["mode of CONNECTOR_TOKEN_FILE"]["advice"]
    assert "canary" not in out + error


async def test_tokens_and_audit_as_json(tmp_path: Path) -> None:
    new = ("token", "new", "--name", "page", "--role", "read", "--json", "--clients", "c.yaml")
    code, out, _ = await opensqt(*new, folder=tmp_path)
    made = json.loads(out)
    assert (code, made["client"], made["token"][:4]) == (0, "page", "sqt_")
    code, out, _ = await opensqt("token", "list", "--json", "--clients", "c.yaml", folder=tmp_path)
    (listed,) = json.loads(out)["clients"]
    assert (listed["client"], listed["role"], listed["token"]) == ("page", "read", True)
    (tmp_path / "audit.jsonl").write_text("")
    code, out, _ = await opensqt("audit", "verify", "audit.jsonl", "--json", folder=tmp_path)
    assert (code, json.loads(out)["lines"]) == (0, 0)


async def in_terminal(folder: Path, *arguments: str, until: str) -> str:
    """Run a command in a terminal of 80 columns and 24 rows until it shows a text, end it, and return what it wrote.

    Ctrl-C is the way to end it, so that its exit code is 0.
    """
    here, there = pty.openpty()
    ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name in KEPT}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opensqt.cli", *arguments),
        stdin=there,
        stdout=there,
        stderr=there,
        env={**environment, "TERM": "xterm"},
        cwd=folder,
    )
    os.close(there)
    written = bytearray()

    def read() -> None:
        with suppress(OSError):
            written.extend(os.read(here, 65536))

    asyncio.get_running_loop().add_reader(here, read)
    try:
        await eventually(lambda: until.encode() in written)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    finally:
        asyncio.get_running_loop().remove_reader(here)
        os.close(here)
        if process.returncode is None:
            process.kill()
            await process.wait()
    return written.decode(errors="replace")
