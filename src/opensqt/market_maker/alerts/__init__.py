"""Alerts: what is sent is decided in a pure policy, and delivered without making trading wait."""
