"""Shapes: superimposition, size, and what configurations are possible."""
