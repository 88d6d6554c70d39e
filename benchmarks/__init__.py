"""Benchmarks of minitorch against PyTorch: `python -m benchmarks.run`."""
