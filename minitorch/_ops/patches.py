"""Sliding patches: unfold (im2col) and its adjoint fold (col2im), pixel_shuffle."""
