"""What happened: the event log, append-only, hash-chained and signed."""
