"""Market data: prices and candles, one subscription per topic."""
