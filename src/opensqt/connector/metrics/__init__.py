"""What is measured: metrics, their page, and traces."""
