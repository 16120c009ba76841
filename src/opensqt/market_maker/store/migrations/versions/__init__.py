"""One module per revision. Its number is the version that a database has after it."""
