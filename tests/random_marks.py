"""Where torch's random numbers are not those that it draws elsewhere."""

import numpy as np
import pytest
import torch

from minitorch._kernels.cpu import rng

# Without AVX2 torch's own normals differ in the last bits, so there is nothing to be equal to.
needs_torchs_vector_code = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="torch's vector code is not the AVX2 one on this machine",
)


def torch_takes_bernoulli_from_mkl():
    """On Intel processors a whole tensor costs torch one word: the seed of MKL's generator."""
    generator, stream = torch.Generator().manual_seed(0), rng.TorchStream(0)
    torch.empty(100).bernoulli_(0.5, generator=generator)
    stream.raw32(200)
    return not np.array_equal(stream.state_bytes(), generator.get_state().numpy())


needs_serial_bernoulli = pytest.mark.skipif(
    torch_takes_bernoulli_from_mkl(),
    reason="torch takes bernoulli from MKL's own generator on this machine",
)
