"""Architectures, found by name: one file each."""
