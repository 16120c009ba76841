"""Lines of text that fit a terminal, drawn again and again."""

from __future__ import annotations

import asyncio
import shutil
import textwrap
from collections.abc import Awaitable, Callable, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

REFRESH_S = 1.0
PROBLEMS_SHOWN = 4
SMALLEST = (80, 24)
"""Columns and rows that every view fits into."""


def size() -> tuple[int, int]:
    """Return the columns and rows of the terminal."""
    found = shutil.get_terminal_size(SMALLEST)
    return max(20, found.columns), max(8, found.lines)


def fit(text: Text, width: int) -> Text:
    """Return one line of at most *width* columns; what is cut off ends with an ellipsis."""
    line = text.copy()
    line.truncate(width, overflow="ellipsis")
    line.no_wrap = True
    return line


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Return a text on *most* lines at most, the later ones indented."""
    lines = textwrap.wrap(text, max(10, width), subsequent_indent="  ", max_lines=most, placeholder=" …")
    return lines or [""]


def beside(left: Sequence[Text], right: Sequence[Text], left_width: int, width: int) -> list[Text]:
    """Return two columns of lines as one."""
    rows = []
    for number in range(max(len(left), len(right))):
        line = fit(left[number], left_width) if number < len(left) else Text()
        if number < len(right):
            line.append(" " * (left_width + 2 - line.cell_len))
            line.append_text(fit(right[number], width - left_width - 2))
        rows.append(line)
    return rows


def problems(found: Sequence[str], columns: int) -> list[Text]:
    """Return the lines of what is wrong: each problem on a few lines, and no more than a part of the screen."""
    if not found:
        return [Text("healthy", style="green")]
    most = 3 if len(found) <= 2 else 1
    shown = [
        Text(line, style="bold red")
        for problem in found[:PROBLEMS_SHOWN]
        for line in wrapped(f"! {problem}", columns, most)
    ]
    if len(found) > PROBLEMS_SHOWN:
        shown.append(Text(f"! and {len(found) - PROBLEMS_SHOWN} more", style="bold red"))
    return shown


async def watch(console: Console, draw: Callable[[int, int], Awaitable[Sequence[Text]]]) -> None:
    """Draw until cancelled: on a terminal in place, elsewhere one block below the other.

    Args:
        console: Of the command.
        draw: Returns the lines for so many columns and rows.
    """
    if not console.is_terminal:
        while True:
            for line in await draw(*SMALLEST):
                console.print(line, soft_wrap=True)
            console.print()
            await asyncio.sleep(REFRESH_S)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            columns, rows = size()
            lines = [fit(line, columns) for line in (await draw(columns, rows))[:rows]]
            live.update(Group(*lines), refresh=True)
            await asyncio.sleep(REFRESH_S)
