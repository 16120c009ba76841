"""The commands of a person in the database, so that a restart keeps them."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from opensqt.market_maker.control.state import ControlState
from opensqt.market_maker.store import schema
from opensqt.market_maker.store.store import Store


async def load_control(store: Store, symbol: str) -> ControlState:
    """Return the commands that are in force for *symbol*."""
    query = select(schema.meta.c.value).where(schema.meta.c.key == _key(symbol))
    async with store.database.connect() as connection:
        text = await connection.scalar(query)
    return ControlState() if text is None else ControlState.decode(text)


async def save_control(store: Store, symbol: str, state: ControlState) -> None:
    """Store the commands that are in force.

    Raises:
        SQLAlchemyError: They are not stored.
    """
    async with store.database.begin() as connection:
        await connection.execute(delete(schema.meta).where(schema.meta.c.key == _key(symbol)))
        await connection.execute(insert(schema.meta), [{"key": _key(symbol), "value": state.encode()}])


def _key(symbol: str) -> str:
    return f"control:{symbol}"
