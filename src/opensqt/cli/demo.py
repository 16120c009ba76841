"""`opensqt demo`: four real processes, a view of them, and a verdict at the end."""

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
from opensqt.cli.stage import DemoSettings, Stage
from opensqt.cli.summary import Comparison, Kept, compare
from opensqt.cli.view import Frame, draw, line
from opensqt.cli.watch import Watcher, Web
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError, ExchangeError
from opensqt.service.program import EXIT_FAILURE, EXIT_OK
from opensqt.service.stop import Stopped, unless_stopped

STRATEGY = "SQ1"
_DRAW_EVERY_S = 0.25
_LINE_EVERY_S = 5.0


async def demo(settings: DemoSettings, console: Console, stop: asyncio.Event) -> int:
    """Run the demo until it is over, and answer 0 when store and ledger match."""
    folder = _folder(settings)
    console.print(f"logs, settings and the store: {folder}", highlight=False, soft_wrap=True)
    async with AsyncExitStack() as stack:
        web = Web(await stack.enter_async_context(aiohttp.ClientSession()))
        stage = Stage(settings, folder, web)
        stack.push_async_callback(stage.stop)
        try:
            try:
                await unless_stopped(stop, stage.start(lambda text: console.print(text, highlight=False)))
            except Stopped:
                console.print("stopped before the grid was running: there is no result")
                return EXIT_OK
            elapsed_s = await _play(settings, stage, console, stop)
            await stage.market_maker.stop()
            _, ledger = await web.get(f"http://{stage.simulator.address}/_sim/ledger")
            exit_codes = await stage.stop()
        except ChildFailed as error:
            console.print(f"[bold red]{error}[/bold red]", highlight=False)
            console.print(f"[bold]the end of {error.child.log}:[/bold]", highlight=False, soft_wrap=True)
            console.print(error.child.last_lines(), highlight=False, markup=False, soft_wrap=True)
            return EXIT_FAILURE
    result = await _verdict(settings, folder, ledger)
    return _conclude(settings, result, exit_codes, elapsed_s, console)


async def _play(settings: DemoSettings, stage: Stage, console: Console, stop: asyncio.Event) -> float:
    """Show the picture until the time is over, and answer how many seconds that took."""
    assert stage.remote is not None and stage.plan is not None  # noqa: S101, PT018 - started
    watcher = Watcher(
        settings.symbol,
        stage.remote,
        stage.web,
        simulator=stage.simulator,
        market_maker=stage.market_maker,
        live_server=stage.live_server,
    )
    frame = Frame(
        exchange=settings.exchange,
        symbol=settings.symbol,
        interval=stage.plan.interval,
        page=stage.page,
        folder=str(stage.folder),
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
            stage.check()
            if watching.done():
                raise ChildFailed(f"connector: no stream any more: {_reason(watching)}", stage.connector)
            if live is not None:
                live.update(draw(frame, watcher.picture, elapsed_s), refresh=True)
            elif elapsed_s >= line_due_s:
                console.print(line(watcher.picture, elapsed_s), highlight=False, soft_wrap=True)
                line_due_s += _LINE_EVERY_S
            over = settings.duration_s is not None and elapsed_s >= settings.duration_s
            if over or stop.is_set() or watcher.picture.finished:
                return elapsed_s
            await _sleep(stop, _DRAW_EVERY_S)
    finally:
        if live is not None:
            live.stop()
        watching.cancel()
        await asyncio.wait({watching})


async def _verdict(settings: DemoSettings, folder: Path, ledger: dict[str, Any]) -> Comparison:
    """Lay the store that the market maker left beside the ledger."""
    account = ledger["accounts"]["sim-key"]
    ids = OrderIds(STRATEGY, settings.symbol)
    names = {row["client_order_id"]: ids.read(row["client_order_id"]) for row in account["orders"]}
    store = await Store.open(f"sqlite:///{folder / 'market_maker.db'}")
    try:
        stored, counted = await store.load(settings.symbol), await store.fills(settings.symbol)
    finally:
        await store.close()
    kept = Kept(
        fills=[one.fill for one in counted],
        position=sum((slot.quantity for slot in stored.slots), Decimal(0)),
        live_orders=[order.client_order_id for order in stored.live_orders],
    )
    slots = {client_order_id: name.level for client_order_id, name in names.items() if name is not None}
    return compare(account, kept, symbol=settings.symbol, slots=slots)


def _conclude(
    settings: DemoSettings, result: Comparison, exit_codes: dict[str, int], elapsed_s: float, console: Console
) -> int:
    """Write the summary, print it, and answer the exit code."""
    unclean = {name: code for name, code in exit_codes.items() if code}
    summary = {"exchange": settings.exchange, "symbol": settings.symbol, "seconds": round(elapsed_s, 1)}
    summary |= {**result.figures, "exit_codes": exit_codes}
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
