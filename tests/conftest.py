"""What every test starts from: torch on one thread, both random streams at one seed, torch's defaults."""

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from torchvision_shim import allow_torchvision

allow_torchvision()
pytest.register_assert_rewrite("compare", "dataset_files")
torch.set_num_threads(1)
collect_ignore = ["scripts"]  # programs that tests start


@pytest.fixture(autouse=True)
def _same_start():
    torch.manual_seed(0)
    # torch's own test tools, once imported, forbid that scripts set a back end's flags
    torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def only_new_garbage():
    """gc.collect() looks at what the test made; at all objects of torch and of the tests it takes half a second."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
