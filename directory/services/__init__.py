"""Everything that changes the directory; one module for one part of its life."""
