"""The resources of the event log and of the jobs."""
