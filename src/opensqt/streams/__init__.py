"""The one fan-out: a topic's updates, kept once, for any number of readers."""
