"""Revisions of the tables, run by Alembic: an older database is upgraded when it is opened."""
