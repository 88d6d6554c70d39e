"""One step of an LSTM's cell, and its gradient (Hochreiter and Schmidhuber 1997; gates in torch's order i, f, g, o)."""

from numba import njit

from .vector import exp


@njit(error_model="numpy")
def sigmoid(T, x):
    return T(1) / (T(1) + exp(-x))


@njit(error_model="numpy")
def tanh(T, x):
    """By exp, which LLVM can turn into vector instructions; by its series near 0, where the difference would cancel."""
    e = exp(T(-2) * abs(x))
    far = (T(1) - e) / (T(1) + e)
    s = x * x
    near = x * (T(1) - s * (T(1 / 3) - s * (T(2 / 15) - s * T(17 / 315))))
    return near if abs(x) < T(0.05) else (far if x > T(0) else -far)


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def lstm_step(gates, c, out, kept):
    """gates (N, 4H) before their activations, c (N, H); out[0] = next c, out[1] = next h, each (N, H).

    kept (5, N, H) are i, f, g, o and tanh(next c), for the gradient.
    """
    T = out.dtype.type
    rows, size = c.shape
    for n in range(rows):
        for j in range(size):
            i = sigmoid(T, gates[n, j])
            f = sigmoid(T, gates[n, size + j])
            g = tanh(T, gates[n, 2 * size + j])
            o = sigmoid(T, gates[n, 3 * size + j])
            state = f * c[n, j] + i * g
            t = tanh(T, state)
            out[0, n, j], out[1, n, j] = state, o * t
            kept[0, n, j], kept[1, n, j], kept[2, n, j] = i, f, g
            kept[3, n, j], kept[4, n, j] = o, t


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def lstm_step_gradient(grad, c, kept, d_gates):
    """d_gates (N, 4H) from grad (2, N, H), the gradients of the next c and h."""
    T = d_gates.dtype.type
    rows, size = c.shape
    for n in range(rows):
        for j in range(size):
            i, f, g = kept[0, n, j], kept[1, n, j], kept[2, n, j]
            o, t, d_h = kept[3, n, j], kept[4, n, j], grad[1, n, j]
            d_c = grad[0, n, j] + d_h * o * (T(1) - t * t)
            d_gates[n, j] = d_c * g * i * (T(1) - i)
            d_gates[n, size + j] = d_c * c[n, j] * f * (T(1) - f)
            d_gates[n, 2 * size + j] = d_c * i * (T(1) - g * g)
            d_gates[n, 3 * size + j] = d_h * t * o * (T(1) - o)


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def lstm_state_gradient(grad, kept, d_c):
    """d_c (N, H), the gradient of the c before."""
    T = d_c.dtype.type
    rows, size = d_c.shape
    for n in range(rows):
        for j in range(size):
            t = kept[4, n, j]
            d_c[n, j] = (grad[0, n, j] + grad[1, n, j] * kept[3, n, j] * (T(1) - t * t)) * kept[1, n, j]
