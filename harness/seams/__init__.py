"""Where a fault goes in, one class a seam; and the catalogue of every kind of fault."""
