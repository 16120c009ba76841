"""What is measured: counters of calls and streams, and the lag of the event loop."""
