"""Real databases for the tests of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.postgres import missing, postgres


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/grid.db"
    address: str = request.getfixturevalue("cluster")
    asyncio.run(execute(address, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public"))
    return address


async def execute(url: str, *statements: str) -> None:
    """Run SQL on a database, whatever its version."""
    driver = url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(driver)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
    finally:
        await engine.dispose()
