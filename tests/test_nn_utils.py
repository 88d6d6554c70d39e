"""nn.utils and lazy modules against torch's: each program runs in both, from the same seed."""

import copy
import io
import pickle
import warnings

import pytest
import torch
from compare import assert_same_outcome, both

import minitorch

PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function
    return function


def layer(t, *sizes, dtype="float64"):
    return t.nn.Linear(*sizes, dtype=getattr(t, dtype))


def numbers(t, *shape):
    return t.randn(*shape, dtype=t.float64)


def with_gradients(t):
    m = layer(t, 3, 2)
    (m(numbers(t, 5, 3)) ** 2).sum().backward()
    return m


# ---------------------------------------------------------------------- gradients, vectors
for _kind in (1, 2.0, 3, "inf", float("-inf"), 0):
    PROGRAMS[f"clip_grad_norm {_kind}"] = lambda t, kind=_kind: (
        m := with_gradients(t),
        t.nn.utils.clip_grad_norm_(m.parameters(), 0.5, kind),
        m.weight.grad,
        m.bias.grad,
    )[1:]


@program
def clip_below_the_norm_changes_nothing(t):
    m = with_gradients(t)
    return t.nn.utils.clip_grad_norm_(list(m.parameters()), 1e6), m.weight.grad


@program
def clip_one_tensor(t):
    m = with_gradients(t)
    return t.nn.utils.clip_grad_norm_(m.weight, 0.5), m.weight.grad, m.bias.grad


@program
def clip_nothing(t):
    return t.nn.utils.clip_grad_norm_([], 1.0)


@program
def clip_an_infinite_norm(t):
    m = with_gradients(t)
    m.weight.grad[0, 0] = float("inf")
    return t.nn.utils.clip_grad_norm_(m.parameters(), 1.0, error_if_nonfinite=True)


@program
def clip_value(t):
    m = with_gradients(t)
    t.nn.utils.clip_grad_value_(m.parameters(), 0.3)
    return m.weight.grad, m.bias.grad


@program
def clip_by_a_known_norm(t):
    m = with_gradients(t)
    total = t.nn.utils.get_total_norm([p.grad for p in m.parameters()])
    t.nn.utils.clip_grads_with_norm_(m.parameters(), 0.5, total)
    return total, m.weight.grad


@program
def vector_of_parameters(t):
    m = layer(t, 3, 2)
    return t.nn.utils.parameters_to_vector(m.parameters())


@program
def parameters_of_a_vector(t):
    m = layer(t, 3, 2)
    t.nn.utils.vector_to_parameters(t.arange(8.0, dtype=t.float64), m.parameters())
    return m.weight.detach(), m.bias.detach()


@program
def parameters_of_a_list(t):
    t.nn.utils.vector_to_parameters([1.0], layer(t, 3, 2).parameters())


# ---------------------------------------------------------------------- sequences
def padded(t):
    return numbers(t, 4, 3, 2)


for _name, _call in {
    "sorted": lambda u, x: u.pack_padded_sequence(x, [4, 3, 1]),
    "unsorted": lambda u, x: u.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False),
    "batch first": lambda u, x: u.pack_padded_sequence(x.transpose(0, 1), [4, 4, 1], batch_first=True),
    "unsorted refused": lambda u, x: u.pack_padded_sequence(x, [2, 4, 1]),
    "lengths missing": lambda u, x: u.pack_padded_sequence(x, [4, 3]),
    "length 0": lambda u, x: u.pack_padded_sequence(x, [4, 3, 0]),
    "empty": lambda u, x: u.pack_padded_sequence(x[:0], [0, 0, 0]),
}.items():
    PROGRAMS[f"pack {_name}"] = lambda t, call=_call: list(call(t.nn.utils.rnn, padded(t)))
    PROGRAMS[f"pack and pad {_name}"] = lambda t, call=_call: t.nn.utils.rnn.pad_packed_sequence(
        call(t.nn.utils.rnn, padded(t)), padding_value=7.0, total_length=6
    )


@program
def pad_to_too_short_a_length(t):
    packed = t.nn.utils.rnn.pack_padded_sequence(padded(t), [4, 3, 1])
    t.nn.utils.rnn.pad_packed_sequence(packed, total_length=2)


@program
def gradient_through_packing(t):
    x = padded(t).requires_grad_()
    packed = t.nn.utils.rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
    y, _ = t.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (y**2).sum().backward()
    return x.grad


for _name, _options in {
    "right": {},
    "left": {"padding_side": "left", "padding_value": 2.0},
    "batch first": {"batch_first": True},
    "nowhere": {"padding_side": "up"},
}.items():
    PROGRAMS[f"pad_sequence {_name}"] = lambda t, options=_options: t.nn.utils.rnn.pad_sequence(
        [numbers(t, 2, 3), numbers(t, 4, 3), numbers(t, 1, 3)], **options
    )


@program
def pack_and_unpack_sequences(t):
    packed = t.nn.utils.rnn.pack_sequence([numbers(t, 2, 3), numbers(t, 4, 3)], enforce_sorted=False)
    return t.nn.utils.rnn.unpack_sequence(packed)


@program
def packed_in_another_dtype(t):
    packed = t.nn.utils.rnn.pack_sequence([numbers(t, 4), numbers(t, 2)])
    return packed.float().data, packed.to(t.int32).data, packed.to("cpu") is packed, packed.is_cuda


@program
def packed_from_a_pair(t):
    return list(t.nn.utils.rnn.PackedSequence((t.ones(2), t.tensor([2])), None))


@program
def packed_from_one_tensor(t):
    t.nn.utils.rnn.PackedSequence(t.ones(3))


RECURRENT = {
    f"{kind} {label}": (kind, options)
    for kind in ("RNN", "LSTM", "GRU")
    for label, options in {
        "plain": {},
        "deep": {"num_layers": 2, "bidirectional": True},
        "without bias": {"bias": False, "bidirectional": True},
    }.items()
} | {"LSTM projected": ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True})}
for _name, (_kind, _options) in RECURRENT.items():

    def _packed(t, kind=_kind, options=_options):
        m = getattr(t.nn, kind)(2, 4, **options).double()
        x = padded(t).requires_grad_()
        packed = t.nn.utils.rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
        out, state = m(packed)
        total = out.data.sum() + sum((s**2).sum() for s in (state if isinstance(state, tuple) else (state,)))
        total.backward()
        return out.data.detach(), x.grad, [p.grad for p in m.parameters()]

    PROGRAMS[f"packed {_name}"] = _packed


# ---------------------------------------------------------------------- parametrizations
def symmetric(t):
    class Symmetric(t.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).mT

        def right_inverse(self, a):
            return a.triu()

    return Symmetric()


def doubled(t):
    class Doubled(t.nn.Module):
        def forward(self, x):
            return 2 * x

    return Doubled()


def summed(t):
    class Summed(t.nn.Module):
        def forward(self, a, b):
            return a + b

        def right_inverse(self, x):
            return 0.25 * x, 0.75 * x

    return Summed()


def describe(m):
    return repr(m), list(m.state_dict()), [n for n, _ in m.named_parameters()]


@program
def parametrized(t):
    m = layer(t, 3, 3)
    t.nn.utils.parametrize.register_parametrization(m, "weight", symmetric(t))
    (m(numbers(t, 2, 3)) ** 2).sum().backward()
    return describe(m), m.weight.detach(), m.parametrizations.weight.original.grad


@program
def parametrized_twice(t):
    m, register = layer(t, 3, 3), t.nn.utils.parametrize.register_parametrization
    register(m, "weight", doubled(t))
    register(m, "weight", symmetric(t))
    return describe(m), m.weight.detach()


@program
def parametrized_by_two_tensors(t):
    m = layer(t, 3, 3)
    t.nn.utils.parametrize.register_parametrization(m, "weight", summed(t))
    return describe(m), m.weight.detach()


@program
def parametrized_assignment(t):
    m = layer(t, 3, 3)
    t.nn.utils.parametrize.register_parametrization(m, "weight", symmetric(t))
    m.weight = t.ones(3, 3, dtype=t.float64)
    return m.weight.detach(), m.parametrizations.weight.original.detach()


@program
def parametrized_assignment_without_inverse(t):
    m = layer(t, 3, 3)
    t.nn.utils.parametrize.register_parametrization(m, "weight", doubled(t))
    m.weight = t.ones(3, 3, dtype=t.float64)


for _keep in (True, False):

    def _removed(t, keep=_keep):
        m, p = layer(t, 3, 3), t.nn.utils.parametrize
        p.register_parametrization(m, "weight", doubled(t))
        p.remove_parametrizations(m, "weight", leave_parametrized=keep)
        return describe(m), m.weight.detach(), p.is_parametrized(m), m.weight.requires_grad

    PROGRAMS[f"parametrization removed, kept {_keep}"] = _removed


@program
def parametrization_of_two_tensors_removed(t):
    m = layer(t, 3, 3)
    t.nn.utils.parametrize.register_parametrization(m, "weight", summed(t))
    t.nn.utils.parametrize.remove_parametrizations(m, "weight", leave_parametrized=False)


@program
def parametrization_copied(t):
    m = layer(t, 3, 3)
    t.nn.utils.parametrize.register_parametrization(m, "weight", symmetric(t))
    twin = copy.deepcopy(m)
    other = t.nn.utils.parametrize.transfer_parametrizations_and_params(m, layer(t, 3, 3))
    with t.no_grad():
        m.parametrizations.weight.original.zero_()
    return describe(twin), twin.weight.detach(), describe(other), other.weight.detach()


@program
def parametrized_module_pickled(t):
    m = layer(t, 3, 3)
    t.nn.utils.parametrize.register_parametrization(m, "weight", t.nn.Identity())
    pickle.dump(m, io.BytesIO())


@program
def parametrization_cached(t):
    m = layer(t, 3, 3)
    t.nn.utils.parametrize.register_parametrization(m, "weight", doubled(t))
    with t.nn.utils.parametrize.cached():
        inside = m.weight is m.weight
    return inside, m.weight is m.weight


for _name in ("foo", "parametrizations"):
    PROGRAMS[f"parametrization of {_name}"] = lambda t, name=_name: t.nn.utils.parametrize.register_parametrization(
        t.nn.ReLU(), name, t.nn.Identity()
    )
for _name, _forward in {
    "shape": lambda x: x[:1],
    "dtype": lambda x: x.float(),
    "kind": lambda x: 3,
}.items():

    def _changed(t, forward=_forward, before=None):
        class Changing(t.nn.Module):
            def forward(self, x):
                return forward(x)

        m = layer(t, 3, 3)
        if before:
            t.nn.utils.parametrize.register_parametrization(m, "weight", before(t))
        t.nn.utils.parametrize.register_parametrization(m, "weight", Changing())

    PROGRAMS[f"parametrization changing the {_name}"] = _changed
    PROGRAMS[f"second parametrization changing the {_name}"] = lambda t, changed=_changed: changed(t, before=doubled)


def trained(t, m, *shape, steps=3):
    """Weights and outputs over some steps of descent, and what eval gives."""
    x, found = numbers(t, *shape), []
    for _ in range(steps):
        y = m(x)
        found.append(y.detach())
        m.zero_grad()
        (y**2).sum().backward()
        with t.no_grad():
            for p in m.parameters():
                p -= 0.01 * p.grad
    return describe(m), found, m.eval()(x).detach(), [p.detach() for p in m.parameters()], list(m.buffers())


NORMED = {
    "linear": (lambda t: layer(t, 3, 2), (4, 3)),
    "convolution": (lambda t: t.nn.Conv2d(2, 3, 2).double(), (1, 2, 4, 4)),
    "transposed": (lambda t: t.nn.ConvTranspose1d(2, 3, 2).double(), (1, 2, 4)),
}
for _name, (_make, _shape) in NORMED.items():
    for _norm in ("weight_norm", "spectral_norm"):
        PROGRAMS[f"{_norm} of {_name}"] = lambda t, make=_make, shape=_shape, norm=_norm: trained(
            t, getattr(t.nn.utils.parametrizations, norm)(make(t)), *shape
        )
        PROGRAMS[f"{_norm} by a hook of {_name}"] = lambda t, make=_make, shape=_shape, norm=_norm: trained(
            t, getattr(t.nn.utils, norm)(make(t)), *shape
        )
PROGRAMS["weight_norm of all"] = lambda t: trained(
    t, t.nn.utils.parametrizations.weight_norm(layer(t, 3, 2), dim=None), 4, 3
)
for _shape in ((3, 3), (3, 2), (2, 4)):
    for _map in ("matrix_exp", "cayley", "householder", None):
        PROGRAMS[f"orthogonal {_shape} {_map}"] = lambda t, shape=_shape, how=_map: trained(
            t, t.nn.utils.parametrizations.orthogonal(layer(t, *shape), orthogonal_map=how), 4, shape[0]
        )
PROGRAMS["orthogonal by no map"] = lambda t: t.nn.utils.parametrizations.orthogonal(layer(t, 3, 3), orthogonal_map="x")
PROGRAMS["orthogonal vector"] = lambda t: t.nn.utils.parametrizations.orthogonal(layer(t, 3, 3), "bias")
PROGRAMS["spectral norm without steps"] = lambda t: t.nn.utils.spectral_norm(layer(t, 3, 3), n_power_iterations=0)
for _norm in ("weight_norm", "spectral_norm"):

    def _unhooked(t, norm=_norm):
        m = getattr(t.nn.utils, f"remove_{norm}")(getattr(t.nn.utils, norm)(layer(t, 3, 2)))
        return describe(m), m.weight.detach(), len(m._forward_pre_hooks)

    PROGRAMS[f"{_norm} removed"] = _unhooked
    PROGRAMS[f"{_norm} never there"] = lambda t, norm=_norm: getattr(t.nn.utils, f"remove_{norm}")(layer(t, 3, 2))
    PROGRAMS[f"{_norm} twice"] = lambda t, norm=_norm: getattr(t.nn.utils, norm)(
        getattr(t.nn.utils, norm)(layer(t, 3, 2))
    )


# ---------------------------------------------------------------------- fusion, init
def used(t, bn, *shape):
    bn(numbers(t, *shape))
    return bn.eval()


@program
def fused_convolution(t):
    conv = t.nn.Conv2d(2, 3, 2, bias=False).double().eval()
    bn = used(t, t.nn.BatchNorm2d(3).double(), 5, 3, 2, 2)
    x = numbers(t, 1, 2, 4, 4)
    fused = t.nn.utils.fuse_conv_bn_eval(conv, bn)
    return fused(x).detach(), bn(conv(x)).detach(), repr(fused)


@program
def fused_transposed_convolution(t):
    conv = t.nn.ConvTranspose1d(2, 3, 2).double().eval()
    bn = used(t, t.nn.BatchNorm1d(3).double(), 5, 3, 2)
    return t.nn.utils.fuse_conv_bn_eval(conv, bn, transpose=True)(numbers(t, 1, 2, 4)).detach()


@program
def fused_linear(t):
    bn = used(t, t.nn.BatchNorm1d(2).double(), 5, 2)
    return t.nn.utils.fuse_linear_bn_eval(layer(t, 3, 2).eval(), bn)(numbers(t, 4, 3)).detach()


PROGRAMS["fused in training"] = lambda t: t.nn.utils.fuse_conv_bn_eval(t.nn.Conv2d(1, 2, 3), t.nn.BatchNorm2d(2))
PROGRAMS["init skipped"] = lambda t: describe(t.nn.utils.skip_init(t.nn.Linear, 3, 2))
PROGRAMS["init skipped of no module"] = lambda t: t.nn.utils.skip_init(int, 3).x
PROGRAMS["init skipped without device"] = lambda t: t.nn.utils.skip_init(t.nn.ReLU)


# ---------------------------------------------------------------------- lazy modules
LAZY = {
    "linear": (lambda nn: nn.LazyLinear(3), (2, 4)),
    "conv1d": (lambda nn: nn.LazyConv1d(3, 2), (2, 4, 5)),
    "conv2d": (lambda nn: nn.LazyConv2d(4, 2, groups=2, bias=False), (2, 4, 5, 5)),
    "conv3d": (lambda nn: nn.LazyConv3d(3, 2), (4, 3, 3, 3)),
    "transposed 1d": (lambda nn: nn.LazyConvTranspose1d(3, 2), (2, 4, 5)),
    "transposed 2d": (lambda nn: nn.LazyConvTranspose2d(4, 2, groups=2), (2, 4, 5, 5)),
    "transposed 3d": (lambda nn: nn.LazyConvTranspose3d(3, 2), (2, 4, 3, 3, 3)),
    "batch norm 1d": (lambda nn: nn.LazyBatchNorm1d(), (5, 4)),
    "batch norm 2d": (lambda nn: nn.LazyBatchNorm2d(affine=False), (2, 4, 3, 3)),
    "batch norm 3d": (lambda nn: nn.LazyBatchNorm3d(track_running_stats=False), (2, 4, 2, 2, 2)),
    "instance norm 1d": (lambda nn: nn.LazyInstanceNorm1d(), (2, 4, 5)),
    "instance norm 2d": (lambda nn: nn.LazyInstanceNorm2d(), (2, 4, 3, 3)),
    "instance norm 3d": (lambda nn: nn.LazyInstanceNorm3d(), (2, 4, 2, 2, 2)),
    "wrong dimensions": (lambda nn: nn.LazyConv2d(4, 2), (3, 3)),
    "groups that do not fit": (lambda nn: nn.LazyConv2d(4, 2, groups=2), (1, 3, 4, 4)),
}
for _name, (_make, _shape) in LAZY.items():

    def _lazy(t, make=_make, shape=_shape):
        m = make(t.nn)
        before = repr(m), list(m.state_dict()), m.has_uninitialized_params()
        m = m.double()
        y = m(numbers(t, *shape))
        y.sum().backward()
        after = describe(m), type(m).__name__, [type(p).__name__ for p in m.parameters()]
        return before, after, y.detach(), [p.detach() for p in m.parameters()], [p.grad for p in m.parameters()]

    PROGRAMS[f"lazy {_name}"] = _lazy


@program
def lazy_loads_a_state(t):
    m = t.nn.LazyLinear(3)
    m.load_state_dict(t.nn.Linear(4, 3).state_dict())
    return m.weight.detach(), m.has_uninitialized_params(), type(m.weight).__name__


@program
def lazy_state_into_another(t):
    t.nn.Linear(4, 3).load_state_dict(t.nn.LazyLinear(3).state_dict())


@program
def lazy_copied(t):
    m = copy.deepcopy(t.nn.Sequential(t.nn.LazyLinear(3), t.nn.LazyLinear(2, bias=False)))
    return m(t.ones(2, 5)).detach(), repr(m)


@program
def shape_of_an_uninitialized_parameter(t):
    return t.nn.LazyLinear(3).weight.shape


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_gives_what_torch_gives(name):
    def run(t):
        t.manual_seed(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return PROGRAMS[name](t)

    ours, theirs = both(run)
    assert_same_outcome(ours, theirs, 1e-9)


def test_uninitialized_parameters_refuse_arithmetic():
    ours, theirs = both(lambda t: t.nn.parameter.UninitializedParameter() + 1)
    assert type(ours.error) is type(theirs.error) is ValueError
    assert "Attempted to use an uninitialized parameter" in str(ours.error)


def test_unpadding_leaves_its_argument_as_it_is():
    # torch transposes it in place
    import minitorch

    x = minitorch.ones(4, 3, 2)
    parts = minitorch.nn.utils.rnn.unpad_sequence(x, minitorch.tensor([4, 2, 1]))
    assert [tuple(p.shape) for p in parts] == [(4, 2), (2, 2), (1, 2)]
    assert tuple(x.shape) == (4, 3, 2)
    assert torch.equal(torch.tensor(parts[0].numpy()), torch.ones(4, 2))


def test_data_of_a_lazy_parameter_is_empty_until_the_first_input():
    layer = minitorch.nn.LazyLinear(3)
    assert layer.weight.data.normal_(0, 0.01).tolist() == layer.bias.data.fill_(0).tolist() == []
    assert layer(minitorch.ones(2, 4)).shape == (2, 3)
    assert layer.weight.data.shape == (3, 4)
