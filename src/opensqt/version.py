"""The version of this package, in a module of its own, so that no program imports the public face for it."""

__version__ = "0.1.0"
