"""The way to the venue: ccxt, REST, errors, clock, one subscription."""
