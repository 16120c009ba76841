"""The commands of a person in the database, so that a restart keeps them."""

from __future__ import annotations

from opensqt.market_maker.control.state import ControlState
from opensqt.market_maker.store.rows import readable
from opensqt.market_maker.store.store import Store
from opensqt.market_maker.store.texts import read_text, write_text


async def load_control(store: Store, symbol: str) -> ControlState:
    """Return the commands that are in force for *symbol*.

    Raises:
        ConfigError: They can't be read.
    """
    text = await read_text(store, f"control:{symbol}")
    with readable(f"the pause and the changed settings of {symbol} (row control:{symbol} of the table meta)"):
        return ControlState() if text is None else ControlState.decode(text)


async def save_control(store: Store, symbol: str, state: ControlState) -> None:
    """Store the commands that are in force.

    Raises:
        SQLAlchemyError: They are not stored.
    """
    await write_text(store, f"control:{symbol}", state.encode())
