"""Test support for users of OpenSQT: `InMemoryExchange`, the whole Exchange protocol in one object."""
