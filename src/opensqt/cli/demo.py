"""`opensqt demo`: runs four real processes, shows them live, and compares store and ledger at the end."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.table import Table

from opensqt.cli.children import ChildFailed
from opensqt.cli.demo_processes import DemoProcesses, DemoSettings
from opensqt.cli.summary import Comparison, StoredResult, compare
from opensqt.cli.view import Frame, draw, line
from opensqt.cli.watch import Watcher, Web
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError, ExchangeError
from opensqt.service.program import EXIT_FAILURE, EXIT_OK
from opensqt.service.stop import Stopped, unless_stopped

STRATEGY = "SQ1"
_DRAW_INTERVAL_S = 0.25
_PRINT_INTERVAL_S = 5.0


async def demo(settings: DemoSettings, console: Console, stop: asyncio.Event) -> int:
    """Run the demo to its end and return 0 when store and ledger match."""
    folder = _folder(settings)
    console.print(f"logs, settings and the store: {folder}", highlight=False, soft_wrap=True)
    if settings.start_price is not None and not settings.replay:
        text = f"{settings.symbol}: generated from {settings.start_price:f} USDT"
        text = f"{text}; --symbol {settings.symbol}@PRICE, --rules or --replay give it its own"
        console.print(text, highlight=False, soft_wrap=True)
    async with AsyncExitStack() as stack:
        web = Web(await stack.enter_async_context(aiohttp.ClientSession()))
        processes = DemoProcesses(settings, folder, web)
        stack.push_async_callback(processes.stop)
        try:
            try:
                await unless_stopped(stop, processes.start(lambda text: console.print(text, highlight=False)))
            except Stopped:
                console.print("stopped before the grid was running: there is no result")
                return EXIT_OK
            elapsed_s = await _show(settings, processes, console, stop)
            await processes.market_maker.stop()
            _, ledger = await web.get(f"http://{processes.simulator.address}/_sim/ledger")
            exit_codes = await processes.stop()
        except ChildFailed as error:
            console.print(f"[bold red]{error}[/bold red]", highlight=False)
            console.print(f"[bold]the end of {error.child.log}:[/bold]", highlight=False, soft_wrap=True)
            console.print(error.child.last_lines(), highlight=False, markup=False, soft_wrap=True)
            return EXIT_FAILURE
    result = await _compare(settings, folder, ledger)
    return _finish(settings, result, exit_codes, elapsed_s, console)


async def _show(settings: DemoSettings, processes: DemoProcesses, console: Console, stop: asyncio.Event) -> float:
    """Show the state until the demo is over, and return the elapsed seconds."""
    assert processes.remote is not None and processes.plan is not None  # noqa: S101, PT018 - started
    watcher = Watcher(
        settings.symbol,
        processes.remote,
        processes.web,
        simulator=processes.simulator,
        market_maker=processes.market_maker,
        live_server=processes.live_server,
    )
    frame = Frame(
        exchange=settings.exchange,
        symbol=settings.symbol,
        interval=processes.plan.interval,
        page=processes.page,
        folder=str(processes.folder),
        duration_s=settings.duration_s,
    )
    plain = settings.plain or not console.is_terminal
    watching = asyncio.create_task(watcher.run(), name="watcher")
    started = time.monotonic()
    live = None if plain else Live(console=console, screen=True, auto_refresh=False)
    if live is not None:
        live.start()
    try:
        line_due_s = 0.0
        while True:
            elapsed_s = time.monotonic() - started
            processes.check()
            if watching.done():
                raise ChildFailed(f"connector: the streams ended: {_reason(watching)}", processes.connector)
            if live is not None:
                live.update(draw(frame, watcher.state, elapsed_s), refresh=True)
            elif elapsed_s >= line_due_s:
                console.print(line(watcher.state, elapsed_s), highlight=False, soft_wrap=True)
                line_due_s += _PRINT_INTERVAL_S
            over = settings.duration_s is not None and elapsed_s >= settings.duration_s
            if over or stop.is_set() or watcher.state.finished:
                return elapsed_s
            await _sleep(stop, _DRAW_INTERVAL_S)
    finally:
        if live is not None:
            live.stop()
        watching.cancel()
        await asyncio.wait({watching})


async def _compare(settings: DemoSettings, folder: Path, ledger: dict[str, Any]) -> Comparison:
    """Compare the market maker's store with the ledger."""
    account = ledger["accounts"]["sim-key"]
    ids = OrderIds(STRATEGY, settings.symbol)
    names = {row["client_order_id"]: ids.read(row["client_order_id"]) for row in account["orders"]}
    store = await Store.open(f"sqlite:///{folder / 'market_maker.db'}")
    try:
        stored, counted = await store.load(settings.symbol), await store.fills(settings.symbol)
    finally:
        await store.close()
    stored_result = StoredResult(
        fills=[each.fill for each in counted],
        position=sum((slot.quantity for slot in stored.slots), Decimal(0)),
        live_orders=[order.client_order_id for order in stored.live_orders],
    )
    slots = {client_order_id: name.level for client_order_id, name in names.items() if name is not None}
    return compare(account, stored_result, symbol=settings.symbol, slots=slots)


def _finish(
    settings: DemoSettings, result: Comparison, exit_codes: dict[str, int], elapsed_s: float, console: Console
) -> int:
    """Print the summary, write its file, and return the exit code."""
    unclean = {name: code for name, code in exit_codes.items() if code}
    summary = {"exchange": settings.exchange, "symbol": settings.symbol, "seconds": round(elapsed_s, 1)}
    summary |= {**result.summary, "exit_codes": exit_codes}
    if result.differences:
        summary["differences"] = list(result.differences)
    table = Table(title="the demo's result", title_style="bold", show_header=False)
    for name, value in summary.items():
        if not isinstance(value, dict | list):
            table.add_row(name.replace("_", " "), str(value))
    console.print(table)
    for text in result.differences[:20]:
        console.print(f"[red]{text}[/red]", highlight=False)
    for name, code in unclean.items():
        console.print(f"[red]{name} ended with code {code}[/red]", highlight=False)
    if settings.summary is not None:
        settings.summary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    console.print(
        "the market maker's store and the exchange's ledger match"
        if result.matches
        else f"[bold red]the store and the ledger do NOT match: {len(result.differences)} differences[/bold red]"
    )
    return EXIT_OK if result.matches and not unclean else EXIT_FAILURE


def _folder(settings: DemoSettings) -> Path:
    if settings.folder is None:
        return Path(tempfile.mkdtemp(prefix="opensqt-demo-"))
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--folder: {settings.folder}: {error.strerror}") from None
    if (settings.folder / "market_maker.db").exists():
        raise ConfigError(f"--folder: {settings.folder}: holds the store of another demo; give a new or an empty one")
    return settings.folder


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _reason(task: asyncio.Task[None]) -> str:
    error = task.exception()
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error.message if isinstance(error, ExchangeError) else str(error or "it ended")
