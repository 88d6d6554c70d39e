"""Writes to positions given by an index tensor: scatter_reduce, index_reduce, put, masked_scatter."""
