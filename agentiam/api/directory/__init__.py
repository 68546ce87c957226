"""The resources of the directory."""
