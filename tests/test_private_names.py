"""Names that torch does not document and that programs use all the same."""

import sys

import pytest
import torch

import minitorch

BOTH = torch, minitorch


def test_helpers_of_transformers():
    for t in BOTH:
        module = t.nn.modules.transformer
        layer = t.nn.Linear(2, 2)
        copies = module._get_clones(layer, 3)
        assert len(copies) == 3
        assert copies[0].weight is not layer.weight
        assert module._get_activation_fn("gelu") is t.nn.functional.gelu
        with pytest.raises(RuntimeError, match="activation should be relu/gelu, not tanh"):
            module._get_activation_fn("tanh")


def test_types_of_sizes_are_unions():
    for name in dir(torch.nn.common_types):
        if name.startswith(("_size", "_ratio")):
            ours, theirs = (set(getattr(t.nn.common_types, name).__args__) for t in BOTH)
            assert ours == theirs, name


def test_classes_of_the_core():
    for t in BOTH:
        assert t._C.Generator is t.Generator
        assert t._C.Size is t.Size
        assert t._C._LinAlgError is t.linalg.LinAlgError


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_the_size_of_a_storage_counts_its_bytes():
    for t in BOTH:
        for storage in (t.ones(1000).untyped_storage(), t.ones(1000).storage()):
            assert 4000 < sys.getsizeof(storage) < 4200
