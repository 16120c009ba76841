"""The venue adapters: the parts that the five venues share, and one package per venue."""
