"""The directory, tested."""
