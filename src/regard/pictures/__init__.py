"""A trace or arrays in, Axes or text out."""
