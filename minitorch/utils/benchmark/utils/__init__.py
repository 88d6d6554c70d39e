"""Same paths as torch.utils.benchmark.utils."""
