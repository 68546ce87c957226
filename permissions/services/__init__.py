"""Everything that changes what is allowed; one module for one kind of thing."""
