"""What a decision costs here: in process, over HTTP with durable records, and beside guardian's ``has_perm``."""
