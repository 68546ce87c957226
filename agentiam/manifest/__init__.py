"""Organization as code: a manifest says what an organization is; apply makes it so, export writes it down."""
