"""Bitget's unified account (UTA): the requests and frames of its own API (v3)."""
