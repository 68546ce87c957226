"""Commands over the event log."""
