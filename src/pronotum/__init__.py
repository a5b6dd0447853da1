"""Anatomical landmarks on photographs of specimens, placed automatically, with the evidence to trust them."""

__version__ = "0.1.0"
