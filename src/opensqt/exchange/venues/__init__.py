"""The native adapters, one file a venue."""
