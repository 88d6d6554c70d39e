"""Kernels for NVIDIA GPUs, with the names of `_kernels/cpu`; imported only when a CUDA device is used."""
