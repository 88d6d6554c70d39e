"""Sums of floats along rows and along columns, to the bit what torch gives at one thread.

The order of additions is that of https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/cpu/SumKernel.cpp:
along a row four vectors at a time into four sums, which every 16 steps go into sums of a level above, so that the error
grows with the logarithm of the count; along columns row after row, every 16 of them into the level above. To add up in
float64 took longer than to read, since every float32 is widened (1,000 rows of 100, Zen 4: 10.6 us, so 5.7).
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from minitorch._kernels.codegen import SCRATCH_LEVELS, SCRATCH_SPARE

from .inlined import flat
from .inner import inner
from .row_vectors import KIND_OF
from .tiles import WIDE, data_of, load_vector
from .vector import KINDS

BYTES = 32  # of torch's vectors here, on any processor
_SUMS = 4  # under way at a time
_POWER = 4  # 2**4 steps at least, before the sums of a level go into those above
_AT_ONCE = 2**_POWER


@intrinsic
def sum_of_floats(typing_context, x, start, count):
    """The sum of x[start : start + count]."""
    if not (isinstance(x, types.Array) and x.dtype in KIND_OF and x.layout == "C"):
        return None

    def generate(context, builder, signature, args):
        row = builder.gep(data_of(context, builder, x, args[0]), [args[1]])
        return _Sum(builder, row, args[2], KINDS[KIND_OF[x.dtype]]).total()

    return x.dtype(x, types.intp, types.intp), generate


class _Sum:
    """The code of one sum, written where `builder` is."""

    def __init__(self, builder, row, count, scalar):
        self.builder, self.row, self.count = builder, row, count
        self.lanes = BYTES // (4 if scalar == KINDS["f4"] else 8)
        vector = ir.VectorType(scalar, self.lanes)
        self.zeros = ir.Constant(vector, [0.0] * self.lanes)
        self.levels = [[cgutils.alloca_once(builder, vector) for _ in range(_SUMS)] for _ in range(SCRATCH_LEVELS)]
        self.result = cgutils.alloca_once_value(builder, ir.Constant(scalar, 0.0))

    def total(self):
        builder = self.builder
        with builder.if_else(builder.icmp_signed("<", self.count, WIDE(self.lanes))) as (few, many):
            with few:
                self._of_few()
            with many:
                self._of_vectors()
        return builder.load(self.result)

    def _of_few(self):
        """Less than a vector: four sums of elements, of which the first takes what is left over."""
        builder = self.builder
        whole = builder.and_(self.count, WIDE(-_SUMS))
        for first, last in ((0, 1), (1, _SUMS)):
            with builder.if_then(builder.icmp_signed(">", whole, WIDE(0))):
                for k in range(first, last):
                    self._add_element(WIDE(k))
            if not first:
                with cgutils.for_range_slice(builder, whole, self.count, WIDE(1)) as (i, _):
                    self._add_element(i)

    def _of_vectors(self):
        builder = self.builder
        vectors = builder.udiv(self.count, WIDE(self.lanes))
        steps = builder.udiv(vectors, WIDE(_SUMS))
        self._fill(0)
        done = cgutils.alloca_once_value(builder, WIDE(0))
        long = builder.icmp_signed(">=", steps, WIDE(2**_POWER))
        with builder.if_then(long, likely=False):
            builder.store(self._blocks(steps), done)
        with cgutils.for_range_slice(builder, builder.load(done), steps, WIDE(1)) as (step, _):
            self._add_step(step)
        lowest = self.levels[0]
        with builder.if_then(long, likely=False):
            for level in self.levels[1:]:
                for to, at in zip(lowest, level, strict=True):
                    self._add(to, builder.load(at))
        with cgutils.for_range_slice(builder, builder.mul(steps, WIDE(_SUMS)), vectors, WIDE(1)) as (number, _):
            self._add(lowest[0], self._vector(number))
        for at in lowest[1:]:
            self._add(lowest[0], builder.load(at))
        with cgutils.for_range_slice(builder, builder.mul(vectors, WIDE(self.lanes)), self.count, WIDE(1)) as (i, _):
            self._add_element(i)
        lanes = builder.load(lowest[0])
        for lane in range(self.lanes):
            self._add(self.result, builder.extract_element(lanes, ir.IntType(32)(lane)))

    def _blocks(self, steps):
        """All whole blocks of 2**power steps; how many steps these are."""
        builder = self.builder
        for level in range(1, SCRATCH_LEVELS):
            self._fill(level)
        zeros = builder.ctlz(builder.or_(builder.sub(steps, WIDE(1)), WIDE(1)), ir.IntType(1)(0))
        quarter = builder.udiv(builder.sub(WIDE(64), zeros), WIDE(SCRATCH_LEVELS))
        power = builder.select(builder.icmp_signed(">", quarter, WIDE(_POWER)), quarter, WIDE(_POWER))
        block = builder.shl(WIDE(1), power)
        whole = builder.and_(steps, builder.neg(block))
        with cgutils.for_range_slice(builder, WIDE(0), whole, block) as (begin, _):
            end = builder.add(begin, block)
            with cgutils.for_range_slice(builder, begin, end, WIDE(1)) as (step, _):
                self._add_step(step)
            self._raise(1, end, builder.sub(block, WIDE(1)), power)
        return whole

    def _raise(self, level, done, mask, power):
        """The sums below go into those of the level; these go on where they are of as many blocks."""
        builder = self.builder
        for to, at in zip(self.levels[level], self.levels[level - 1], strict=True):
            self._add(to, builder.load(at))
        self._fill(level - 1)
        if level + 1 < SCRATCH_LEVELS:
            mask = builder.shl(mask, power)
            with builder.if_then(builder.icmp_signed("==", builder.and_(done, mask), WIDE(0)), likely=False):
                self._raise(level + 1, done, mask, power)

    def _add_step(self, step):
        first = self.builder.mul(step, WIDE(_SUMS))
        for k, to in enumerate(self.levels[0]):
            self._add(to, self._vector(self.builder.add(first, WIDE(k))))

    def _fill(self, level):
        for at in self.levels[level]:
            self.builder.store(self.zeros, at)

    def _vector(self, number):
        return load_vector(self.builder, self.row, self.builder.mul(number, WIDE(self.lanes)), self.lanes)

    def _add_element(self, i):
        self._add(self.result, self.builder.load(self.builder.gep(self.row, [i])))

    def _add(self, to, value):
        self.builder.store(self.builder.fadd(self.builder.load(to), value), to)


@inner()
def sum_columns(x, first, line, n, scratch):
    """scratch[0, k] = the sum of x[first + i * line + k] over i < n, for every column k there is room for.

    The columns beyond a multiple of four vectors have four sums each, of every fourth row; the first of them takes what
    is left over.
    """
    columns, lanes = scratch.shape[1] - SCRATCH_SPARE, BYTES // x.itemsize
    rest = columns % (_SUMS * lanes if columns >= lanes else _SUMS)
    whole, fours = columns - rest, n // _SUMS
    # the four are as many more columns where the rows of `rest` follow each other
    passes = 0 if not rest else 1 if line == rest else _SUMS
    for number in range(0 if whole else 1, 1 + passes):  # one call, so that it is compiled into one place
        begin, step, count, width, to = first, line, n, whole, 0
        if number:
            begin, to = first + whole + (number - 1) * line, whole + (number - 1) * rest
            step, count, width = _SUMS * line, fours, _SUMS * rest // passes
        _sum_one_by_one(x, begin, step, count, width, scratch, to)
    if rest:
        for i in range(_SUMS * fours, n):
            for k in range(whole, columns):
                scratch[0, k] += x[first + i * line + k]
        for four in range(1, _SUMS):
            for k in range(whole, columns):
                scratch[0, k] += scratch[0, k + four * rest]


@inner()
def _sum_one_by_one(x, first, line, n, columns, scratch, to):
    """Row after row, into scratch[0, to:]."""
    power = _POWER
    while 1 << ((power + 1) * SCRATCH_LEVELS - 1) < n:
        power += 1
    size = 1 << power
    sums, width, step = flat(scratch), np.uint64(scratch.shape[1]), np.uint64(line)
    lowest, at = np.uint64(to), np.uint64(first)
    second = lowest + width
    for level in range(SCRATCH_LEVELS if n >= size else 1):
        for k in range(columns):
            sums[lowest + np.uint64(level) * width + np.uint64(k)] = 0.0
    for end in range(size, n + 1, size):
        if size == _AT_ONCE:  # sixteen rows into the second level, between reading a sum and writing it
            for k in range(columns):
                row, a = at + np.uint64(k), x[at + np.uint64(k)]
                for _ in range(_AT_ONCE - 1):
                    row += step
                    a += x[row]
                sums[second + np.uint64(k)] += a
            at += np.uint64(_AT_ONCE) * step
        else:
            for _ in range(size):
                for k in range(columns):
                    sums[lowest + np.uint64(k)] += x[at + np.uint64(k)]
                at += step
            for k in range(columns):
                sums[second + np.uint64(k)] += sums[lowest + np.uint64(k)]
                sums[lowest + np.uint64(k)] = 0.0
        level, whole = second, size * size
        while level < np.uint64(SCRATCH_LEVELS - 1) * width and end % whole == 0:
            for k in range(columns):
                sums[level + width + np.uint64(k)] += sums[level + np.uint64(k)]
                sums[level + np.uint64(k)] = 0.0
            level, whole = level + width, whole * size
    for _ in range(n % size):
        for k in range(columns):
            sums[lowest + np.uint64(k)] += x[at + np.uint64(k)]
        at += step
    if n >= size:
        for level in range(1, SCRATCH_LEVELS):
            for k in range(columns):
                sums[lowest + np.uint64(k)] += sums[lowest + np.uint64(level) * width + np.uint64(k)]
