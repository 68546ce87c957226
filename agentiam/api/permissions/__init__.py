"""The resources of what is allowed."""
