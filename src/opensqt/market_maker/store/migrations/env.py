"""Alembic's entry: runs the revisions on the connection that the store, or the developer's command line, gives."""

from __future__ import annotations

from alembic import context

from opensqt.market_maker.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
