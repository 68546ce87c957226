"""Who gets what under which address, one module for each part of the product."""
