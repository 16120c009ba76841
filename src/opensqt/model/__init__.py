"""The vocabulary that every part of OpenSQT speaks: orders, fills, positions, accounts, prices, candles, errors.

No I/O happens here and nothing here imports another of our packages.
"""
