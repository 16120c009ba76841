"""The checks that keep a grid within what its account can carry."""
