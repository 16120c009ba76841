"""The blocking client, for scripts and notebooks: the same methods, without an event loop."""

from opensqt.client.sync.exchange import SyncExchange, connect_sync
from opensqt.client.sync.lease import SyncLease
from opensqt.client.sync.stream import SyncStream

__all__ = ["SyncExchange", "SyncLease", "SyncStream", "connect_sync"]
