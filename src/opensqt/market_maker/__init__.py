"""Grid market making over any Exchange."""
