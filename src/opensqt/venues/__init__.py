"""The native adapters: what the five venues share, and one package per venue."""
