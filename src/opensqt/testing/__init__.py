"""For tests of your own: `InMemoryExchange`, the whole Exchange protocol in one object."""
