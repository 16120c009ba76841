"""The monitoring page and its WebSocket."""
