"""torch.special: formulas of special functions, their gradients and sources."""
