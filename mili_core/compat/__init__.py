"""Other programs' weights and numbers: converters, and what a model computes on the way to its result."""
