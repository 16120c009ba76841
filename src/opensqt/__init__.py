"""OpenSQT: an open gateway and market maker for crypto derivatives."""

__version__ = "0.1.0"
