"""The types that every part of OpenSQT uses: orders, fills, positions, accounts, prices, candles, errors.

This package does no I/O and imports no other package of OpenSQT.
"""
