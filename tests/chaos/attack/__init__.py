"""Hostile and clumsy clients, kind after kind, before a connector that one honest client trades through.

`python -m tests.chaos.attack --duration 600` says what it does to that client's orders, to memory and to health.
"""
