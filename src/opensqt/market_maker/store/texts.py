"""Single texts in the database, by a key: what has no table of its own."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from opensqt.market_maker.store import schema
from opensqt.market_maker.store.store import Store


async def read_text(store: Store, key: str) -> str | None:
    """Return the text of *key*, or None."""
    query = select(schema.meta.c.value).where(schema.meta.c.key == key)
    async with store.database.connect() as connection:
        text: str | None = await connection.scalar(query)
    return text


async def write_text(store: Store, key: str, text: str) -> None:
    """Store the text of *key*.

    Raises:
        SQLAlchemyError: It is not stored.
    """
    async with store.holding.writing() as connection:
        await connection.execute(delete(schema.meta).where(schema.meta.c.key == key))
        await connection.execute(insert(schema.meta), [{"key": key, "value": text}])
