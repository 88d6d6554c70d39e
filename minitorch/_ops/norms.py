"""Vector and matrix norms."""
