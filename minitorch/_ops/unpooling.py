"""Inverses of max pooling, and fractional max pooling."""
