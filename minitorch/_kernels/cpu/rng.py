"""torch's CPU random numbers, bit for bit, from NumPy's Mersenne Twister.

A sampler fills a C-contiguous array `out` and takes exactly the words from the stream that torch
takes. Torch fills a tensor that is not contiguous in the order of its memory (dimensions sorted by
falling stride), so the caller fills a scratch array in that order and copies; only `normal` also
computes differently then (`contiguous=False`).

How many 32-bit words one value costs (measured against torch 2.13 on x86 with AVX2):

    uniform              1 for halves and float32, 2 for float64
    normal               2 for a pair of values below 16 values, which share a cached second one;
                         from 16 on as uniform, and a tail shorter than 16 costs 16 more
    randint, random_     1 below a range of 2**28, 2 from there on
    bernoulli            2 for a number p and a float64 array p, 1 for other arrays
    exponential, cauchy, geometric, log_normal, multinomial      2

Torch on Intel processors hands bernoulli with a number p to MKL's own generator; here every machine
gets the numbers of the other processors.
"""

from __future__ import annotations

import ctypes
import functools
import math
from typing import Any

import numpy as np
from numpy import ndarray

from minitorch._kernels import cache
from minitorch._kernels.half import FLOAT_INFO, filled

from .rounding import cos_sin32, fma32, fma64, libm, log32, pays

_CHUNK = 1 << 16  # values per pass, so that temporaries stay in the second-level cache
_NORMAL_CHUNK = 1 << 14  # the same where there are a dozen float64 temporaries
_FEW_PAIRS = 8  # so many pairs of normals are made in Python in the time of NumPy's ten calls
_ROOM = 1 << 10  # words that stay in the first-level cache until they are used
_CALL = 1 << 12  # normals in whose time NumPy's dozens of calls for a few are made
_WORDS_OF_NORMAL = 2  # bits: NumPy makes so many words, as a power of two, in the time of a normal
_SMALL = 8192  # below this many words Generator.integers' fixed 12 us costs more than it saves
_PYTHON = 4096  # up to so many elements are shuffled in Python, which takes 2 ms: a compiled loop's loading takes 50
_MASK53 = np.uint64((1 << 53) - 1)
_WIDE_RANGE = 1 << 28  # from this range on torch spends 64 bits on an integer
_WORDS = 624
_FLOAT32 = np.dtype(np.float32)
# the layout of torch.get_rng_state; torch neither reads nor writes x and rho
_STATE_NAMES = "seed left seeded next words x next_double rho has_double next_float has_float"
_STATE_FORMATS = "<u8 <i4 <i4 <u8 624<u8 <f8 <f8 <f8 <i8 <f4 <i4"
_STATE = np.dtype(list(zip(_STATE_NAMES.split(), _STATE_FORMATS.split())))


def _memory_of(bits: np.random.MT19937) -> ndarray | None:
    """The generator's words and how many are used up, as `twister.py` takes them; None where NumPy keeps others."""
    memory = np.frombuffer((ctypes.c_uint32 * (_WORDS + 1)).from_address(bits.ctypes.state_address), np.uint32)
    state = bits.state["state"]
    return memory if memory[_WORDS] == state["pos"] and np.array_equal(memory[:_WORDS], state["key"]) else None


@functools.cache
def _twister() -> Any:
    return cache.load_file("cpu.twister")


class TorchStream:
    """The engine of torch's CPU generator: 32-bit words, and the normal kept for the next call.

    >>> stream = TorchStream(0)
    >>> stream.raw32(2) % 10
    array([4, 9], dtype=uint32)
    """

    def __init__(self, seed: int = 67280421310721):
        self._bits = np.random.MT19937(0)
        self._legacy = np.random.RandomState(self._bits)
        self._generator = np.random.Generator(self._bits)
        self._words = _memory_of(self._bits)
        self._room: ndarray | None = None
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start anew. All 64 bits are remembered, the low 32 seed the words."""
        self.initial_seed = seed & 0xFFFFFFFFFFFFFFFF
        self._legacy.seed(seed & 0xFFFFFFFF)
        self._fresh = True
        self.next_double: float | None = None
        self.next_float: float | None = None

    def raw32(self, n: int) -> ndarray:
        """The next n words."""
        self._fresh = self._fresh and n == 0
        if self._words is not None and pays(n >> _WORDS_OF_NORMAL):
            words = np.empty(n, np.uint32)
            _twister().words(self._words, words)
            return words
        if n < _SMALL:
            return self._bits.random_raw(n).astype(np.uint32)
        return self._generator.integers(0, 1 << 32, n, np.uint32)

    def raw64(self, n: int) -> ndarray:
        """The next 2 n words as n 64-bit numbers, the earlier word on top."""
        self._fresh = self._fresh and n == 0
        if self._words is not None and pays(n >> _WORDS_OF_NORMAL - 1):
            words = np.empty((n, 2), np.uint32)
            _twister().words(self._words, words.reshape(-1))
            return words[:, 0].astype(np.uint64) << np.uint64(32) | words[:, 1]
        if n < _SMALL:
            pairs = self._bits.random_raw(2 * n)
            return pairs[0::2] << np.uint64(32) | pairs[1::2]
        return self._generator.integers(0, 1 << 64, n, np.uint64)

    def units(self, out: ndarray) -> None:
        """Fill a contiguous array of float32 with fractions of 24 bits, a word each."""
        if self._words is not None and pays(out.size >> _WORDS_OF_NORMAL):
            self._fresh = self._fresh and not out.size
            _twister().units(self._words, out)
            return
        # in range signed and unsigned agree, and signed integers convert faster
        out[...] = (self.raw32(out.size) & np.uint32(0xFFFFFF)).view(np.int32)
        out *= np.float32(2.0**-24)

    def normals(self, out: ndarray, mean: float, std: float) -> bool:
        """Fill a contiguous array of 16 float32 or more with normals; False where this is not worth a compiled loop."""
        if self._words is None or not pays(out.size + _CALL):
            return False
        kernels = cache.load_file("cpu.normals")
        if self._room is None:
            self._room = np.empty((4, kernels.LANES), np.uint32)
        self._fresh = False
        kernels.normals(self._words, float(mean), float(std), out, self._room)
        return True

    def chosen(self, bound: np.uint64, value: Any, out: ndarray) -> bool:
        """Fill a contiguous array of float32 with the value where 53 bits are below a bound, else 0; or say False."""
        if self._words is None or not pays(out.size >> _WORDS_OF_NORMAL - 1):
            return False
        self._fresh = self._fresh and not out.size
        _twister().chosen(self._words, bound, np.float32(value), out.reshape(-1), np.empty(_ROOM, np.uint32))
        return True

    def place(self) -> tuple[dict, bool]:
        """How far the words have been taken, for `go_back`."""
        return self._bits.state, self._fresh

    def go_back(self, place: tuple[dict, bool]) -> None:
        """Take the words from there on again."""
        self._bits.state, self._fresh = place

    def state_bytes(self) -> ndarray:
        """The 5056 bytes that torch.get_rng_state gives for this state."""
        engine = self._bits.state["state"]
        left, position = _WORDS + 1 - engine["pos"], 0 if self._fresh else engine["pos"]
        words = (self.initial_seed, left, 1, position, engine["key"])
        double = (0.0, self.next_double or 0.0, 0.0, self.next_double is not None)
        single = (self.next_float or 0.0, self.next_float is not None)
        return np.array([(*words, *double, *single)], _STATE).view(np.uint8)

    def set_state_bytes(self, state: ndarray) -> None:
        """Continue from bytes of torch.get_rng_state or `state_bytes`; RuntimeError for others."""
        if state.size != _STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} "
                f"but found the input RNG state size to be {state.size}"
            )
        fields = np.frombuffer(state.tobytes(), _STATE)[0]
        left, position = int(fields["left"]), int(fields["next"])
        if fields["seeded"] != 1 or not 0 < left <= _WORDS or position > _WORDS:
            raise RuntimeError("Invalid mt19937 state")
        self._bits.state = {
            "bit_generator": "MT19937",
            "state": {"key": fields["words"], "pos": _WORDS if left == 1 else position},
        }
        self._fresh = left == 1 and position == 0
        self.initial_seed = int(fields["seed"])
        self.next_double = float(fields["next_double"]) if fields["has_double"] else None
        self.next_float = float(fields["next_float"]) if fields["has_float"] else None


def _chunks(out):
    flat = out.reshape(-1)
    if flat.size <= _CHUNK:
        return [flat]
    return [flat[i : i + _CHUNK] for i in range(0, flat.size, _CHUNK)]


def _unit24(stream, n):
    unit = np.empty(n, np.float32)
    stream.units(unit)
    return unit


def _unit53(stream, n):
    return (stream.raw64(n) & _MASK53).view(np.int64) * 2.0**-53


def _modulo(words, count):
    # NumPy divides by a number with vector instructions, but takes remainders one by one
    return words - words // count * count


def _store(part, values):
    # torch's way from float64 to a half leads over float32: two roundings
    part[...] = values.astype(np.float32) if part.itemsize == 2 else values


def random_uniform(stream: TorchStream, out: ndarray, low: float = 0.0, high: float = 1.0) -> None:
    """Fill a floating array with values from [low, high); what rounds up to high becomes low."""
    if out.dtype is _FLOAT32 and low == 0.0 and high == 1.0:
        for part in _chunks(out):
            stream.units(part)
        return
    unit, fma, work = _unit24, fma32, np.float32
    if out.dtype == np.float64:
        unit, fma, work = _unit53, fma64, np.float64
    if low == 0.0 and high == 1.0 and out.dtype == work:
        for part in _chunks(out):
            part[...] = unit(stream, part.size)
        return
    start, stop = work(low), filled((), high, out.dtype)
    with np.errstate(over="ignore"):
        width = work(high) - start
    for part in _chunks(out):
        part[...] = fma(unit(stream, part.size), width, start)
        part[part >= stop] = start


def normal(stream: TorchStream, out: ndarray, mean: float = 0.0, std: float = 1.0, contiguous: bool = True) -> None:
    """Fill a floating array with normals; contiguous=False as torch fills other layouts."""
    flat = out.reshape(-1)
    n = flat.size
    if n < 16 or not contiguous:
        for part in _chunks(flat):
            _store(part, fma64(_normal_pairs(stream, part.size), std, mean))
        return
    if flat.dtype is _FLOAT32 and stream.normals(flat, mean, std):
        return
    unit = _unit53 if flat.dtype == np.float64 else _unit24
    for begin in range(0, n, _NORMAL_CHUNK):
        count = min(_NORMAL_CHUNK, n - begin)
        rest = count % 16
        whole = count - rest
        # torch draws for the rest, then 16 anew for the last 16 places; for halves only the latter
        first = whole if flat.itemsize == 2 else count
        uniform = unit(stream, first + 16 if rest else first)
        if rest:
            uniform = np.concatenate((uniform[:whole], uniform[-16:]))
        values = _box_muller(uniform, mean, std)
        flat[begin : begin + whole] = values[:whole]
        if rest:
            flat[-16:] = values[-16:]


def _normal_pairs(stream, n):
    """n standard normals in float64, beginning with the cached one; an odd one out is cached."""
    values, begin = np.empty(n), 0
    if n and stream.next_double is not None:
        values[0], stream.next_double, begin = stream.next_double, None, 1
    count = (n - begin + 1) // 2
    if count:
        uniform = _unit53(stream, 2 * count)
        if count > _FEW_PAIRS:
            radius, angle = np.sqrt(-2.0 * libm("log1p", -uniform[1::2])), 2.0 * math.pi * uniform[0::2]
            first, second = radius * libm("cos", angle), radius * libm("sin", angle)
        else:
            polar = [(math.sqrt(-2.0 * math.log1p(-v)), 2.0 * math.pi * u) for u, v in uniform.reshape(-1, 2).tolist()]
            first, second = [r * math.cos(a) for r, a in polar], [r * math.sin(a) for r, a in polar]
        values[begin::2], values[begin + 1 :: 2] = first, second[: (n - begin) // 2]
        if (n - begin) % 2:
            stream.next_double = float(second[-1])
    return values


def _box_muller(uniform, mean, std):
    """Normals from blocks of 16 uniforms: eight for the radii, eight for the angles."""
    first, second = uniform.reshape(-1, 2, 8).swapaxes(0, 1).reshape(2, -1)
    values = np.empty((2, first.size), uniform.dtype)
    if uniform.dtype == np.float64:
        radius = np.sqrt(-2.0 * libm("log", 1.0 - first))
        angle = 2.0 * math.pi * second
        sin, cos, fma = libm("sin", angle), libm("cos", angle), fma64
    else:
        mean, std = np.float32(mean), np.float32(std)
        radius = np.sqrt(np.float32(-2.0) * log32(np.float32(1.0) - first))
        (cos, sin), fma = cos_sin32(np.float32(2.0 * math.pi) * second), fma32
    np.multiply(radius, cos, values[0])
    np.multiply(radius, sin, values[1])
    if std == 1.0:
        values += mean  # also for mean 0, which turns -0.0 into 0.0
    else:
        values = fma(values, std, mean)
    return values.reshape(2, -1, 8).swapaxes(0, 1).reshape(-1)


def randint(stream: TorchStream, out: ndarray, low: int, high: int) -> None:
    """Fill an array of any dtype with integers [low, high); RuntimeError if that is empty."""
    if out.dtype in FLOAT_INFO:
        low, high = _representable_range(out.dtype, low, high)
    if low >= high:
        raise RuntimeError(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
            f"but got from={low} >= to={high}"
        )
    _from_range(stream, out, low, high - low, high - low >= _WIDE_RANGE)


def _from_range(stream, out, low, count, wide):
    for part in _chunks(out):
        if wide:
            value = stream.raw64(part.size)
            if count < 1 << 64:
                value = _modulo(value, np.uint64(count))
            value += np.uint64(low & 0xFFFFFFFFFFFFFFFF)
            part[...] = value.view(np.int64)
        else:
            value = _modulo(stream.raw32(part.size), np.uint32(count))
            part[...] = value.astype(np.int64) + low if low else value


def _representable_range(dtype, low, high):
    """Torch draws the ends in until rounding to the floating dtype cannot leave the range."""
    digits = FLOAT_INFO[dtype].digits
    after = int(filled((), low + 1, dtype).item())
    if after < low:
        low = after + (1 << abs(low + 1).bit_length() - digits)
    before = int(filled((), high - 1, dtype).item())
    if high <= before < 1 << 63:  # 2**63 does not fit torch's int64: it compares as a small number
        high = before - (1 << abs(high - 1).bit_length() - digits)
    return low, high


def random_(stream: TorchStream, out: ndarray, low: int | None = None, high: int | None = None) -> None:
    """Tensor.random_: with no bounds 0 to the dtype's last exact integer; high=None: from low on.

    The two differ in the words they take: only the second counts the values of the range.
    """
    if out.dtype in FLOAT_INFO:
        last = 1 << FLOAT_INFO[out.dtype].digits
    else:
        last = 1 if out.dtype.kind == "b" else int(np.iinfo(out.dtype).max)
    if low is None:
        _from_range(stream, out, 0, last + 1, out.dtype in (np.int64, np.float64))
    elif high is not None:
        randint(stream, out, low, high)
    elif low == -(1 << 63):
        _from_range(stream, out, 0, 1 << 64, True)
    else:
        _from_range(stream, out, low, last - low + 1, last - low + 1 >= _WIDE_RANGE)


def bernoulli(stream: TorchStream, out: ndarray, p: float | ndarray, value: float = 1) -> None:
    """Fill an array of any dtype with 1 where a uniform value is below p, else 0.

    An array p has out's size. A float64 array or a number takes 53 bits a value, others 24. With a number p another
    value may stand in place of 1.
    """
    if not isinstance(p, ndarray):
        # below p * 2**53 as integers is below p as fractions, without converting each draw
        bound = np.uint64(math.ceil(p * 2.0**53))
        if out.dtype is _FLOAT32 and stream.chosen(bound, value, out):
            return
        for part in _chunks(out):
            words = stream.raw64(part.size)
            words &= _MASK53
            part[...] = words < bound
            if value != 1:
                part *= value
        return
    unit = _unit53 if p.dtype == np.float64 else _unit24
    for part, chances in zip(_chunks(out), _chunks(p)):
        part[...] = unit(stream, part.size) < chances


def exponential(stream: TorchStream, out: ndarray, lambd: float = 1.0) -> None:
    """Fill a floating array with exponential values of rate lambd."""
    scale = -1.0 / lambd
    for part in _chunks(out):
        _store(part, scale * libm("log1p", -_unit53(stream, part.size)))


def geometric(stream: TorchStream, out: ndarray, p: float) -> None:
    """Fill an array of any dtype but bool with the number of trials to the first success."""
    scale = math.log1p(-p)
    with np.errstate(divide="ignore"):
        for part in _chunks(out):
            trials = np.ceil(libm("log", _unit53(stream, part.size)) / scale)
            part[...] = trials if out.dtype in FLOAT_INFO else trials.astype(np.int64)


def cauchy(stream: TorchStream, out: ndarray, median: float = 0.0, sigma: float = 1.0) -> None:
    """Fill a floating array with Cauchy values."""
    for part in _chunks(out):
        value = libm("tan", math.pi * (_unit53(stream, part.size) - 0.5))
        _store(part, fma64(value, sigma, median))


def log_normal(stream: TorchStream, out: ndarray, mean: float = 1.0, std: float = 2.0) -> None:
    """Fill a floating array with exponentials of normals."""
    for part in _chunks(out):
        _store(part, libm("exp", fma64(_normal_pairs(stream, part.size), std, mean)))


def multinomial(stream: TorchStream, probs: ndarray, num_samples: int, replacement: bool = False) -> ndarray:
    """Indices (int64) drawn from each row of probs (1-d or 2-d, floating, rows need not sum to 1).

    Without replacement, probabilities whose scores tie exactly may come in another order than
    torch's, whose sort is not stable (seen from 10,000 float32 categories on).
    """
    if replacement and num_samples > 1:
        rows = probs.reshape(-1, probs.shape[-1])
        total = np.cumsum(rows, axis=1, dtype=np.result_type(rows, np.float32))
        total /= total[:, -1:]
        total[:, -1] = 1.0
        picks = [np.searchsorted(row, _unit53(stream, num_samples)) for row in total]
        return np.reshape(picks, (*probs.shape[:-1], num_samples)).astype(np.int64)
    score = np.empty_like(probs)
    exponential(stream, score.T if score.flags.f_contiguous else score)  # in the order of memory
    with np.errstate(divide="ignore", invalid="ignore"):
        np.divide(probs, score, out=score)
    if num_samples == 1:
        return score.argmax(axis=-1, keepdims=True)
    return np.argsort(-score, axis=-1, kind="stable")[..., :num_samples]


def randperm(stream: TorchStream, n: int) -> ndarray:
    """A permutation of 0 ... n-1 as int64: Fisher-Yates from the front with n - 1 draws."""
    if n >= 0xFFFFFFFF // 20:  # measured: from here on torch draws in another way
        raise NotImplementedError(f"randperm: n must be below {0xFFFFFFFF // 20}, got {n}")
    result = np.arange(n, dtype=np.int64)
    if n < 2:
        return result
    words = stream.raw32(n - 1)
    if n > _PYTHON:
        cache.load_file("cpu.shuffle").shuffle(result, words)
        return result
    values = result.tolist()
    for i, step in enumerate((words % np.arange(n, 1, -1, dtype=np.uint32)).tolist()):
        values[i], values[i + step] = values[i + step], values[i]
    result[:] = values
    return result
