"""einsum and tensordot, by way of batched matrix products."""
