"""The tables as the first programs made them, without Alembic; nothing to do."""

from __future__ import annotations

revision = "1"
down_revision = None


def upgrade() -> None:
    """Do nothing: a database without tables is made whole, and one with them starts here."""
