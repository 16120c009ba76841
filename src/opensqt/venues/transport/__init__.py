"""The connection to a venue: ccxt, REST requests, errors, the venue's clock, and subscriptions."""
