"""The client of a connector: connect, the exchange behind it, its streams and its lease."""
