"""Adaptive softmax, modules around modules, nn.grad and nn.attention: each program runs in both, from the same seed."""

import collections
import warnings

import pytest
from compare import assert_same_outcome, both

PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function
    return function


def numbers(t, *shape):
    return t.randn(*shape, dtype=t.float64, requires_grad=True)


def adaptive(t, *sizes, **options):
    return t.nn.AdaptiveLogSoftmaxWithLoss(*sizes, **options, dtype=t.float64)


@program
def adaptive_softmax(t):
    m, x = adaptive(t, 8, 20, [5, 10, 15], div_value=2.0, head_bias=True), numbers(t, 7, 8)
    output, loss = found = m(x, t.tensor([0, 4, 5, 9, 12, 19, 3]))
    grads = t.autograd.grad(loss, [x, *m.parameters()])
    return found._fields, type(found).__name__, output, loss, *grads, m.log_prob(x), m.predict(x), repr(m)


@program
def adaptive_softmax_of_one_sample(t):
    return tuple(adaptive(t, 8, 20, [5, 10])(numbers(t, 8), t.tensor(7)))


@program
def adaptive_softmax_of_frequent_classes_only(t):
    m, x = adaptive(t, 8, 20, [10]), numbers(t, 3, 8)
    return *m(x, t.tensor([1, 0, 9])), m.predict(x)


for _name, _cutoffs in {
    "none": [],
    "unsorted": [5, 3],
    "repeated": [3, 3],
    "too large": [20],
    "fractions": [1.5],
}.items():
    PROGRAMS[f"adaptive cutoffs {_name}"] = lambda t, c=_cutoffs: adaptive(t, 8, 20, c)
for _name, _shapes in {"sizes": ((3, 8), [1, 2]), "one target": ((3, 8), 1), "one input": ((8,), [1]),
                       "rank": ((1, 8), [[1]]), "range": ((2, 8), [1, 20])}.items():  # fmt: skip
    PROGRAMS[f"adaptive input {_name}"] = lambda t, s=_shapes: adaptive(t, 8, 20, [5])(
        numbers(t, *s[0]), t.tensor(s[1])
    )


@program
def sync_batch_norm_in_one_process(t):
    m = t.nn.SyncBatchNorm(3, dtype=t.float64)
    outputs = [m(numbers(t, *shape)) for shape in ((4, 3), (4, 3, 2), (2, 3, 2, 2))]
    return *outputs, m.eval()(numbers(t, 4, 3)), repr(m), m.running_var


@program
def converted_to_sync_batch_norm(t):
    m = t.nn.Sequential(
        t.nn.Linear(2, 3), t.nn.Sequential(t.nn.BatchNorm1d(3, affine=False), t.nn.BatchNorm2d(3)).eval()
    )
    made = t.nn.SyncBatchNorm.convert_sync_batchnorm(m)
    lone = t.nn.BatchNorm3d(3)
    converted = t.nn.SyncBatchNorm.convert_sync_batchnorm(lone)
    return made is m, repr(made), made[1][0].training, converted is lone, converted.weight is lone.weight


for _shape in ((3,), (3, 0)):
    PROGRAMS[f"sync batch norm of {_shape}"] = lambda t, s=_shape: t.nn.SyncBatchNorm(3)(t.ones(s))


@program
def data_parallel(t):
    m, x = t.nn.Linear(2, 3, dtype=t.float64), numbers(t, 4, 2)
    wrapped = t.nn.DataParallel(m)
    return wrapped(x), list(wrapped.state_dict()), repr(wrapped), wrapped.device_ids, wrapped.module is m


@program
def data_parallel_function_without_gpus(t):
    t.nn.parallel.data_parallel(t.nn.Linear(2, 3), t.ones(4, 2))


Pair = collections.namedtuple("Pair", "a b")


@program
def scattered_without_tensors(t):
    values = [3, "x", None, (), {}, [], [1, {"a": 2}], {"a": (1, 2)}, Pair(1, [2])]
    return [repr(t.nn.parallel.scatter(v, [0, 1])) for v in values]


@program
def scattered_arguments(t):
    scatter_kwargs = t.nn.parallel.scatter_gather.scatter_kwargs
    given = [((), {"a": 1}), ((1, 2), {}), ((1,), None), ((), {}), ((1,), {"a": 2})]
    return [scatter_kwargs(args, kwargs, [0, 1]) for args, kwargs in given]


@program
def gathered_without_tensors(t):
    values = [None, {"a": None}, (None, None), [None], Pair(None, (None,)), collections.OrderedDict(a=None)]
    return [repr(t.nn.parallel.gather([v, v], 0)) for v in values]


@program
def replicated_without_parameters(t):
    m = t.nn.Sequential(t.nn.ReLU(), t.nn.Flatten())
    copies = t.nn.parallel.replicate(m, [0, 1])
    return repr(copies), [c is m or c[0] is m[0] for c in copies], t.nn.parallel.replicate(t.nn.Linear(1, 1), [])


for _name, _call in {
    "scatter to the cpu": lambda t: t.nn.parallel.scatter(t.ones(2), ["cpu"]),
    "gather on the cpu": lambda t: t.nn.parallel.gather([t.ones(2), t.ones(2)], "cpu"),
    "gather nothing": lambda t: t.nn.parallel.gather([], 0),
    "gather numbers": lambda t: t.nn.parallel.gather([1, 2], 0),
    "gather unlike dictionaries": lambda t: t.nn.parallel.gather([{"a": None}, {}], 0),
    "gather unlike tuples": lambda t: t.nn.parallel.gather([(None, None), (None,)], 0),
    "replicate on the cpu": lambda t: t.nn.parallel.replicate(t.nn.Linear(1, 1), [0]),
    "replicate to the cpu": lambda t: t.nn.parallel.replicate(t.nn.ReLU(), ["cpu"]),
    "apply in parallel": lambda t: t.nn.parallel.parallel_apply([t.nn.ReLU()] * 2, [t.ones(1)] * 2),
    "apply on the cpu": lambda t: t.nn.parallel.parallel_apply([t.nn.ReLU()], [t.ones(1)], devices=["cpu"]),
    "apply to too many inputs": lambda t: t.nn.parallel.parallel_apply([t.nn.ReLU()], [1, 2]),
    "apply to too many arguments": lambda t: t.nn.parallel.parallel_apply([t.nn.ReLU()], [1], [{}, {}]),
}.items():
    PROGRAMS[_name] = _call


@program
def distributed_data_parallel_without_a_group(t):
    t.nn.parallel.DistributedDataParallel(t.nn.Linear(2, 3))


@program
def gradients_of_convolutions(t):
    found = []
    for dims in (1, 2, 3):
        x, w = numbers(t, 2, 4, *[6] * dims), numbers(t, 6, 2, *[3] * dims)
        options = dict(stride=2, padding=1, dilation=1, groups=2)
        g = t.randn_like(getattr(t.nn.functional, f"conv{dims}d")(x, w, None, **options))
        found.append(getattr(t.nn.grad, f"conv{dims}d_input")(x.shape, w, g, **options))
        found.append(getattr(t.nn.grad, f"conv{dims}d_weight")(x, w.shape, g, **options))
    return tuple(found)


@program
def choice_of_attention(t):
    from importlib import import_module

    attention = import_module(f"{t.__name__}.nn.attention")
    q = numbers(t, 1, 2, 3, 4)
    with attention.sdpa_kernel(attention.SDPBackend.MATH):
        one = t.nn.functional.scaled_dot_product_attention(q, q, q)
    with attention.sdpa_kernel([attention.SDPBackend.MATH, attention.SDPBackend.FLASH_ATTENTION]):
        return one, t.nn.functional.scaled_dot_product_attention(q, q, q)


@program
def no_choice_of_attention(t):
    from importlib import import_module

    with import_module(f"{t.__name__}.nn.attention").sdpa_kernel("math"):
        pass


@program
def weights_in_another_order(t):
    m = t.nn.Sequential(t.nn.Conv2d(3, 4, 2), t.nn.ConvTranspose2d(4, 2, 2), t.nn.Linear(2, 2))
    same = t.nn.utils.convert_conv2d_weight_memory_format(m, t.channels_last) is m
    solid = t.nn.utils.convert_conv3d_weight_memory_format(t.nn.Conv3d(2, 3, 2), t.channels_last_3d)
    return same, [p.stride() for p in m.parameters()], solid.weight.stride(), m[0].weight


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_gives_what_torch_gives(name):
    def run(t):
        t.manual_seed(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return PROGRAMS[name](t)

    ours, theirs = both(run)
    assert_same_outcome(ours, theirs, 1e-9)
