"""The exchange for scripts and notebooks: the same methods, blocking, with no event loop in sight."""

from opensqt.client.sync.exchange import SyncExchange, connect_sync
from opensqt.client.sync.lease import SyncLease
from opensqt.client.sync.stream import SyncStream

__all__ = ["SyncExchange", "SyncLease", "SyncStream", "connect_sync"]
