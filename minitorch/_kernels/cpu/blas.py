"""OpenBLAS called by compiled code: blocks of matrix products, shared among threads.

The functions are those of the OpenBLAS that NumPy brings, with integers of 64 bits; their addresses come from
`threads.blas`. Each call computes on its own thread.
"""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .inner import inner
from .parallel import share_of, split

_ROW_MAJOR, _NO_TRANSPOSE, _TRANSPOSE = 101, 111, 112  # of CBLAS
_INT, _LONG = ir.IntType(32), ir.IntType(64)


def _pointer(context, builder, kind, array, place):
    from numba.np.arrayobj import make_array

    return builder.gep(make_array(kind)(context, builder, array).data, [place])


def _call(builder, function, args):
    kind = ir.FunctionType(ir.VoidType(), [a.type for a in args])
    builder.call(builder.inttoptr(function, kind.as_pointer()), args)


def _flag(builder, transposed):
    return builder.select(transposed, _INT(_TRANSPOSE), _INT(_NO_TRANSPOSE))


@intrinsic
def gemm(typingctx, function, a_t, b_t, m, n, k, a, a0, lda, b, b0, ldb, c, c0, ldc):
    """c[c0:] = op(a[a0:]) @ op(b[b0:]), of m rows, n columns, k products each."""
    kinds = (function, a_t, b_t, m, n, k, a, a0, lda, b, b0, ldb, c, c0, ldc)

    def codegen(context, builder, signature, args):
        function, a_t, b_t, m, n, k, a, a0, lda, b, b0, ldb, c, c0, ldc = args
        places = [
            _pointer(context, builder, *end) for end in ((kinds[6], a, a0), (kinds[9], b, b0), (kinds[12], c, c0))
        ]
        one, zero = (ir.Constant(places[0].type.pointee, value) for value in (1.0, 0.0))
        flags = _INT(_ROW_MAJOR), _flag(builder, a_t), _flag(builder, b_t)
        _call(builder, function, [*flags, m, n, k, one, places[0], lda, places[1], ldb, zero, places[2], ldc])
        return context.get_dummy_value()

    return types.void(*kinds), codegen


@intrinsic
def gemm_at(typingctx, function, a_t, b_t, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """c = alpha op(a) @ op(b) + beta c for matrices of numbers like alpha at addresses, rows `ld` numbers apart."""
    kinds = (function, a_t, b_t, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)

    def codegen(context, builder, signature, args):
        function, a_t, b_t, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc = args
        a, b, c = (builder.inttoptr(address, alpha.type.as_pointer()) for address in (a, b, c))
        flags = _INT(_ROW_MAJOR), _flag(builder, a_t), _flag(builder, b_t)
        _call(builder, function, [*flags, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc])
        return context.get_dummy_value()

    return types.void(*kinds), codegen


@intrinsic
def _gemv(typingctx, function, a_t, m, n, a, a0, lda, x, y, y0):
    """y[y0:] = op(a[a0:]) @ x, where a has m rows and n columns."""
    kinds = (function, a_t, m, n, a, a0, lda, x, y, y0)

    def codegen(context, builder, signature, args):
        function, a_t, m, n, a, a0, lda, x, y, y0 = args
        places = [_pointer(context, builder, *end) for end in ((a_k, a, a0), (x_k, x, _LONG(0)), (y_k, y, y0))]
        one, zero = (ir.Constant(places[0].type.pointee, value) for value in (1.0, 0.0))
        step = _LONG(1)
        flags = _INT(_ROW_MAJOR), _flag(builder, a_t)
        _call(builder, function, [*flags, m, n, one, places[0], lda, places[1], step, zero, places[2], step])
        return context.get_dummy_value()

    a_k, x_k, y_k = kinds[4], kinds[7], kinds[8]
    return types.void(*kinds), codegen


@inner()
def _matrices_part(part, parts, function, a, b, c, transposed, sizes, steps, blocks):
    a_t, b_t = transposed
    m, n, k, batch = sizes
    lda, ldb = (m if a_t else k), (k if b_t else n)
    begin, end = share_of(batch * blocks, part, parts)
    for at in range(begin, end):
        i, block = at // blocks, at % blocks
        a0, b0, c0 = i * steps[0], i * steps[1], i * m * n
        if n >= m:
            first, last = share_of(n, block, blocks)
            b0 += first * ldb if b_t else first
            gemm(function, a_t, b_t, m, last - first, k, a, a0, lda, b, b0, ldb, c, c0 + first, n)
        else:
            first, last = share_of(m, block, blocks)
            a0 += first if a_t else first * lda
            gemm(function, a_t, b_t, last - first, n, k, a, a0, lda, b, b0, ldb, c, c0 + first * n, n)


@njit(cache=True, nogil=True)
def matrices(crew, parts, function, a, b, c, transposed, sizes, steps, blocks):
    """c[i] = op(a[i]) @ op(b[i]) for i in range(batch), by blocks of the longer side of c; sizes are m, n, k, batch.

    Flat arrays, c in order, a[i] and b[i] `steps` apart.
    """
    split(crew, _matrices_part, parts, (parts, function, a, b, c, transposed, sizes, steps, blocks))


@inner()
def _vector_part(part, parts, function, a, x, y, transposed, sizes, blocks):
    rows, columns = sizes
    begin, end = share_of(blocks, part, parts)
    for block in range(begin, end):
        first, last = share_of(rows, block, blocks)
        if transposed:
            _gemv(function, transposed, columns, last - first, a, first, rows, x, y, first)
        else:
            _gemv(function, transposed, last - first, columns, a, first * columns, columns, x, y, first)


@njit(cache=True, nogil=True)
def vector(crew, parts, function, a, x, y, transposed, sizes, blocks):
    """y = op(a) @ x by blocks of rows of op(a), which has sizes[0] rows and sizes[1] columns."""
    split(crew, _vector_part, parts, (parts, function, a, x, y, transposed, sizes, blocks))
