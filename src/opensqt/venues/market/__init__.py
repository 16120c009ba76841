"""Market data: prices and candles, one upstream per topic."""
