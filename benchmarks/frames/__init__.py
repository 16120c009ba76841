"""What a frame costs from the venue's socket to a model object, beside ccxt.pro and beside the floor."""
