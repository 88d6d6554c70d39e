"""The blocks of minitorch.vision.ops: parameters, outputs, gradients, draws and texts are torchvision's."""

import numpy as np
import pytest
import torch
import torchvision

import minitorch
from minitorch.vision import ops

PAIR = [(minitorch, ops), (torch, torchvision.ops)]


def both(make, *shape, backward=True):
    """State, output and the input's gradient of the module that `make` builds, in each framework."""
    results = []
    for framework, namespace in PAIR:
        framework.manual_seed(3)
        module = make(namespace, framework.nn)
        x = framework.randn(*shape)
        x.requires_grad_(backward)
        y = module(x)
        if backward:
            (y * y).sum().backward()
        state = {k: v.detach().numpy() for k, v in module.state_dict().items()}
        results.append((state, y.detach().numpy(), x.grad.numpy() if backward else None, repr(module)))
    return results


BLOCKS = {
    "conv2d block": (lambda o, nn: o.Conv2dNormActivation(3, 8, stride=2), (2, 3, 8, 8)),
    "conv2d block, no norm": (lambda o, nn: o.Conv2dNormActivation(4, 8, 5, 1, None, 2, None), (2, 4, 8, 8)),
    "conv2d block, two sizes": (
        lambda o, nn: o.Conv2dNormActivation(4, 8, (3, 5), dilation=2, activation_layer=nn.SiLU),
        (2, 4, 9, 12),
    ),
    "conv2d block, no inplace": (
        lambda o, nn: o.Conv2dNormActivation(3, 4, activation_layer=nn.Tanh, inplace=None, bias=True),
        (2, 3, 5, 5),
    ),
    "conv3d block": (lambda o, nn: o.Conv3dNormActivation(2, 3), (2, 2, 4, 5, 6)),
    "squeeze": (lambda o, nn: o.SqueezeExcitation(6, 2), (2, 6, 4, 4)),
    "squeeze, other activations": (lambda o, nn: o.SqueezeExcitation(6, 2, nn.SiLU, nn.Hardsigmoid), (2, 6, 4, 4)),
    "mlp": (lambda o, nn: o.MLP(5, [7, 6, 2]), (3, 5)),
    "mlp, one layer": (lambda o, nn: o.MLP(5, [7], dropout=0.5, inplace=True), (3, 5)),
    "mlp, norm": (lambda o, nn: o.MLP(5, [7, 2], nn.LayerNorm, nn.GELU, bias=False, dropout=0.2), (3, 5)),
    "permute": (lambda o, nn: o.Permute([0, 2, 1]), (2, 3, 4)),
    "frozen norm": (lambda o, nn: o.FrozenBatchNorm2d(3), (2, 3, 4, 4)),
    "stochastic depth, rows": (lambda o, nn: o.StochasticDepth(0.5, "row"), (6, 3, 2)),
    "stochastic depth, batch": (lambda o, nn: o.StochasticDepth(0.5, "batch"), (6, 3)),
    "stochastic depth, all": (lambda o, nn: o.StochasticDepth(1.0, "row"), (6, 3)),
    "drop block 2d": (lambda o, nn: o.DropBlock2d(0.3, 3), (2, 2, 8, 9)),
    "drop block 2d, even": (lambda o, nn: o.DropBlock2d(0.3, 9), (2, 2, 7, 9)),
    "drop block 3d": (lambda o, nn: o.DropBlock3d(0.2, 3), (2, 2, 5, 6, 7)),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_block_equals_torchvisions(name):
    ours, theirs = both(*[BLOCKS[name][0], *BLOCKS[name][1]])
    assert list(ours[0]) == list(theirs[0])
    for key, value in theirs[0].items():
        np.testing.assert_allclose(ours[0][key], value, rtol=1e-5, atol=1e-6, err_msg=key)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-4, atol=1e-5)
    assert ours[3] == theirs[3]


def test_stochastic_depth_does_nothing_in_eval_mode():
    x = minitorch.ones(3)
    assert ops.StochasticDepth(0.5, "row").eval()(x) is x
    assert ops.DropBlock2d(0.5, 3).eval()(x.reshape(1, 1, 1, 3)).sum() == 3


def test_drop_block_in_place_writes_to_the_input():
    results = []
    for framework, namespace in PAIR:
        framework.manual_seed(0)
        x = framework.ones(1, 2, 6, 6)
        assert namespace.drop_block2d(x, 0.3, 3, inplace=True) is x
        results.append(x.numpy())
    np.testing.assert_allclose(*results)


def test_frozen_norm_takes_the_weights_of_a_batch_norm():
    state = minitorch.nn.BatchNorm2d(2).state_dict()
    frozen = ops.FrozenBatchNorm2d(2)
    frozen.load_state_dict(state)
    assert "num_batches_tracked" not in frozen.state_dict()


WRONG = {
    "probability": lambda o, t: o.stochastic_depth(t.ones(2), 1.5, "row"),
    "mode": lambda o, t: o.stochastic_depth(t.ones(2), 0.5, "column"),
    "block probability": lambda o, t: o.drop_block2d(t.ones(1, 1, 3, 3), -1.0, 3),
    "block dimensions": lambda o, t: o.drop_block3d(t.ones(1, 1, 3, 3), 0.5, 3),
    "even block": lambda o, t: o.drop_block2d(t.ones(1, 1, 4, 4), 0.5, 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_call_raises_torchvisions_error(name):
    errors = []
    for framework, namespace in PAIR:
        with pytest.raises(ValueError) as caught:
            WRONG[name](namespace, framework)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_the_base_of_conv_blocks_warns_when_used_itself():
    with pytest.warns(UserWarning, match="Don't use ConvNormActivation directly"):
        ops.misc.ConvNormActivation(3, 4)
