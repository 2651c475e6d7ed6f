"""Backends: each turns the integer graph into a bundle of files."""
