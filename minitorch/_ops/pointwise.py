"""Every scalar formula and its gradient: the table of derivatives.

A formula calls only what `_kernels/scalar.py` names; it uses `where` instead of `if`, and floats as literals. What a
gradient names is kept for it: prefer `out` to `x` where both would do, since in-place use is then safe. Values at
the edges (0, nan, infinity, ties) are torch's.

Inside a formula `exp` is the vocabulary's function, although in this file the name belongs to the record of the op:
formulas run with names of their own (`codegen.Formula`). Imported are the vocabulary's names that no op here has.
"""

from minitorch._kernels.scalar import (
    absolute,
    arccos,
    arcsin,
    arctan,
    arctan2,
    maximum,
    minimum,
    where,
)

from .op import pointwise

# ---------------------------------------------------------------------- arithmetic
_ALPHA = "if alpha != 1: other = times_alpha({name}_op, input, other, alpha)"


@pointwise(on="torch Tensor", operator="__add__ __radd__ __iadd__", inplace=True, extra="*, alpha=1", before=_ALPHA)
def add(x, y):
    return x + y


@add.grad("x", "y")
def add_grad(g):
    return g


@pointwise(on="torch Tensor", operator="__sub__ __isub__", inplace=True, extra="*, alpha=1", before=_ALPHA)
def sub(x, y):
    return x - y


@sub.grad("x")
def sub_grad_x(g):
    return g


@sub.grad("y")
def sub_grad_y(g):
    return -g


@pointwise(on="torch Tensor", operator="__mul__ __rmul__ __imul__", inplace=True)
def mul(x, y):
    return x * y


@mul.grad("x")
def mul_grad_x(g, y):
    return g * y


@mul.grad("y")
def mul_grad_y(g, x):
    return g * x


@pointwise(
    on="torch Tensor", operator="__truediv__ __itruediv__", inplace=True, result="float", extra="*, rounding_mode=None",
    before="if rounding_mode is not None: return rounded_division('{twin}', input, other, rounding_mode)",
)  # fmt: skip
def div(x, y):
    return x / y


@div.grad("x")
def div_grad_x(g, y):
    return g / y


@div.grad("y")
def div_grad_y(g, x, y):
    return -g * ((x / y) / y)


_BY_ZERO = "refuse_zero_division('{name}', input, other)"


@pointwise(on="torch Tensor", operator="__floordiv__ __ifloordiv__", inplace=True, bools=False, guard=_BY_ZERO)
def floor_divide(x, y):
    return x // y


# rounding_mode of div: unlike `//`, these have a gradient, which is 0
@pointwise(title="Div", bools=False)
def div_floor(x, y):
    return x // y


@pointwise(title="Div", bools=False)
def div_trunc(x, y):
    return trunc(x / y)


@div_floor.grad("x", "y")
@div_trunc.grad("x", "y")
def div_rounded_grad(g):
    return where(g == g, 0.0, 0.0 * g)


@pointwise(on="torch Tensor", operator="__mod__ __imod__", inplace=True, bools=False, guard=_BY_ZERO)
def remainder(x, y):
    return x % y


@remainder.grad("x")
def remainder_grad_x(g):
    return g


@remainder.grad("y")
def remainder_grad_y(g, x, y):
    return -g * floor(x / y)


@pointwise(on="torch Tensor", inplace=True, bools=False, guard=_BY_ZERO)
def fmod(x, y):
    return fmod(x, y)


@fmod.grad("x")
def fmod_grad_x(g):
    return g


@fmod.grad("y")
def fmod_grad_y(g, x, y):
    return -g * trunc(x / y)


@pointwise(on="torch Tensor", operator="__neg__", inplace=True)
def neg(x):
    return -x


@neg.grad("x")
def neg_grad_x(g):
    return -g


# torch's PowBackward0 with an exponent of 2, by far the commonest; `power.py` chooses
@pointwise(title="Pow", inplace=True)
def pow_2(x):
    return x * x


@pow_2.grad("x")
def pow_2_grad_x(g, x):
    return g * (x + x)


@pointwise(title="Pow", inplace=True)
def pow_number(x, *, exponent):
    return x**exponent


@pow_number.grad("x")
def pow_number_grad_x(g, x, *, exponent):
    return where(exponent == 0.0, 0.0 * g, g * (exponent * x ** (exponent - 1.0)))


@pointwise(title="Pow", inplace=True, bools=False, letters={"y": "exponent"})
def pow_tensor(x, y):
    return x**y


@pow_tensor.grad("x")
def pow_tensor_grad_x(g, x, y):
    return where(y == 0.0, 0.0 * g, g * (y * x ** (y - 1.0)))


@pow_tensor.grad("y")
def pow_tensor_grad_y(g, x, y, out):
    return where((x == 0.0) & (y >= 0.0), 0.0 * g, g * (out * log(x)))


@pointwise(on="torch Tensor", inplace=True, result="float")
def reciprocal(x):
    return 1.0 / x


@reciprocal.grad("x")
def reciprocal_grad_x(g, out):
    return -g * (out * out)


# ---------------------------------------------------------------------- exponentials, roots, logarithms
@pointwise(on="torch Tensor", inplace=True, result="float")
def exp(x):
    return exp(x)


@exp.grad("x")
def exp_grad_x(g, out):
    return g * out


@pointwise(on="torch Tensor", inplace=True, result="float")
def exp2(x):
    return exp2(x)


@exp2.grad("x")
def exp2_grad_x(g, out):
    return g * (out * 0.6931471805599453)


@pointwise(on="torch Tensor", inplace=True, result="float")
def expm1(x):
    return expm1(x)


@expm1.grad("x")
def expm1_grad_x(g, out):
    return g * (out + 1.0)


@pointwise(on="torch Tensor", inplace=True, result="float")
def log(x):
    return log(x)


@log.grad("x")
def log_grad_x(g, x):
    return g / x


@pointwise(on="torch Tensor", inplace=True, result="float")
def log1p(x):
    return log1p(x)


@log1p.grad("x")
def log1p_grad_x(g, x):
    return g / (x + 1.0)


@pointwise(on="torch Tensor", inplace=True, result="float")
def log2(x):
    return log2(x)


@log2.grad("x")
def log2_grad_x(g, x):
    return g / (x * 0.6931471805599453)


@pointwise(on="torch Tensor", inplace=True, result="float")
def log10(x):
    return log10(x)


@log10.grad("x")
def log10_grad_x(g, x):
    return g / (x * 2.302585092994046)


@pointwise(on="torch Tensor", inplace=True, result="float")
def sqrt(x):
    return sqrt(x)


@sqrt.grad("x")
def sqrt_grad_x(g, out):
    return g / (2.0 * out)


# the square root in std, whose gradient torch takes to be 0 where all values are equal
@pointwise(title="Std")
def std_of_var(x):
    return sqrt(x)


@std_of_var.grad("x")
def std_of_var_grad_x(g, out):
    return where(out == 0.0, 0.0, g / (2.0 * out))


@pointwise(on="torch Tensor", inplace=True, result="float")
def rsqrt(x):
    return 1.0 / sqrt(x)


@rsqrt.grad("x")
def rsqrt_grad_x(g, out):
    return -0.5 * g * (out * out * out)


# ---------------------------------------------------------------------- trigonometry
@pointwise(on="torch Tensor", inplace=True, result="float")
def sin(x):
    return sin(x)


@sin.grad("x")
def sin_grad_x(g, x):
    return g * cos(x)


@pointwise(on="torch Tensor", inplace=True, result="float")
def cos(x):
    return cos(x)


@cos.grad("x")
def cos_grad_x(g, x):
    return -g * sin(x)


@pointwise(on="torch Tensor", inplace=True, result="float")
def tan(x):
    return tan(x)


@tan.grad("x")
def tan_grad_x(g, out):
    return g * (1.0 + out * out)


@pointwise(on="torch Tensor", inplace=True, result="float")
def asin(x):
    return arcsin(x)


@asin.grad("x")
def asin_grad_x(g, x):
    return g / sqrt(1.0 - x * x)


@pointwise(on="torch Tensor", inplace=True, result="float")
def acos(x):
    return arccos(x)


@acos.grad("x")
def acos_grad_x(g, x):
    return -g / sqrt(1.0 - x * x)


@pointwise(on="torch Tensor", inplace=True, result="float")
def atan(x):
    return arctan(x)


@atan.grad("x")
def atan_grad_x(g, x):
    return g / (1.0 + x * x)


@pointwise(on="torch Tensor", inplace=True, result="float")
def atan2(x, y):
    return arctan2(x, y)


@atan2.grad("x")
def atan2_grad_x(g, x, y):
    return where(x * x + y * y == 0.0, 0.0 * g, g * (y / (x * x + y * y)))


@atan2.grad("y")
def atan2_grad_y(g, x, y):
    return where(x * x + y * y == 0.0, 0.0 * g, -g * (x / (x * x + y * y)))


@pointwise(on="torch Tensor", inplace=True, result="float")
def sinh(x):
    return sinh(x)


@sinh.grad("x")
def sinh_grad_x(g, x):
    return g * cosh(x)


@pointwise(on="torch Tensor", inplace=True, result="float")
def cosh(x):
    return cosh(x)


@cosh.grad("x")
def cosh_grad_x(g, x):
    return g * sinh(x)


@pointwise(on="torch Tensor nn.functional", inplace=True, result="float")
def tanh(x):
    return tanh(x)


@tanh.grad("x")
def tanh_grad_x(g, out):
    return g * (1.0 - out * out)


# ---------------------------------------------------------------------- rounding, sign, choice
_INTEGERS = "if not input.is_floating_point(): return unrounded('{twin}', input)"


@pointwise(on="torch Tensor", inplace=True, bools=False, before=_INTEGERS)
def floor(x):
    return floor(x)


@pointwise(on="torch Tensor", inplace=True, bools=False, before=_INTEGERS)
def ceil(x):
    return ceil(x)


@pointwise(on="torch Tensor", inplace=True, bools=False, before=_INTEGERS)
def trunc(x):
    return trunc(x)


@floor.grad("x")
@ceil.grad("x")
@trunc.grad("x")
def rounding_grad_x(g):
    return where(g == g, 0.0, 0.0 * g)


@pointwise(on="torch Tensor", operator="__abs__", inplace=True, bools=False)
def abs(x):
    return absolute(x)


@abs.grad("x")
def abs_grad_x(g, x):
    return where(x > 0.0, g, where(x < 0.0, -g, 0.0))


@pointwise(on="torch Tensor", inplace=True)
def sign(x):
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, 0.0))


@sign.grad("x")
def sign_grad_x(g):
    return where(g == g, 0.0, 0.0 * g)


@pointwise(on="torch Tensor")
def maximum(x, y):  # noqa: F811
    return maximum(x, y)


@pointwise(on="torch Tensor")
def minimum(x, y):  # noqa: F811
    return minimum(x, y)


@maximum.grad("x")
@minimum.grad("y")
def greater_grad(g, x, y):
    return where(x < y, 0.0, where(x == y, 0.5 * g, g))  # a nan among the two lets it pass to both


@maximum.grad("y")
@minimum.grad("x")
def less_grad(g, x, y):
    return where(x > y, 0.0, where(x == y, 0.5 * g, g))


# the bounds of clamp, where the gradient passes at equality
@pointwise(title="Clamp", inplace=True)
def clamp_low(x, y):
    return where(y != y, y, where(x < y, y, x))  # not maximum: clamp(-0.0, min=0) is -0.0


@pointwise(title="Clamp", inplace=True)
def clamp_high(x, y):
    return where(y != y, y, where(x > y, y, x))


@clamp_low.grad("x")
def clamp_low_grad_x(g, x, y):
    return where(x >= y, g, 0.0)


@clamp_low.grad("y")
def clamp_low_grad_y(g, x, y):
    return where(x < y, g, 0.0)


@clamp_high.grad("x")
def clamp_high_grad_x(g, x, y):
    return where(x <= y, g, 0.0)


@clamp_high.grad("y")
def clamp_high_grad_y(g, x, y):
    return where(x > y, g, 0.0)


# ---------------------------------------------------------------------- activations
_INPLACE = "if inplace: return functions['{name}_'](input)"


@pointwise(on="torch Tensor nn.functional", inplace=True, bools=False, extra="inplace=False", before=_INPLACE)
def relu(x):
    return where(x < 0.0, 0.0, x)  # this way round: relu(nan) is nan, relu(-0.0) is -0.0


@relu.grad("x")
def relu_grad_x(g, out):
    return where(out <= 0.0, 0.0, g)  # reads `out`, so relu_ is safe; the gradient at 0 is 0


@pointwise(on="torch Tensor nn.functional", inplace=True, result="float")
def sigmoid(x):
    return 1.0 / (1.0 + exp(-x))


@sigmoid.grad("x")
def sigmoid_grad_x(g, out):
    return g * ((1.0 - out) * out)


@pointwise(on="nn.functional", result="float_only", inplace=True, extra="inplace=False", before=_INPLACE)
def silu(x):
    return x / (1.0 + exp(-x))


@silu.grad("x")
def silu_grad_x(g, x):
    s = 1.0 / (1.0 + exp(-x))
    return g * (s * (1.0 + x * (1.0 - s)))


@pointwise(on="nn.functional", inplace=True, result="float_only", extra="inplace=False", before=_INPLACE)
def leaky_relu(x, *, negative_slope=0.01):
    return where(x > 0.0, x, x * negative_slope)


@leaky_relu.grad("x")
def leaky_relu_grad_x(g, x, *, negative_slope):
    return where(x > 0.0, g, g * negative_slope)


@pointwise(on="nn.functional", inplace=True, result="float_only", extra="inplace=False", before=_INPLACE)
def elu(x, *, alpha=1.0):
    return where(x > 0.0, x, alpha * expm1(where(x > 0.0, 0.0, x)))


@elu.grad("x")
def elu_grad_x(g, x, *, alpha):
    return where(x <= 0.0, g * (alpha * exp(where(x > 0.0, 0.0, x))), g)


@pointwise(on="nn.functional", result="float_only")
def softplus(x, *, beta=1.0, threshold=20.0):
    return where(x * beta > threshold, x, log1p(exp(where(x * beta > threshold, 0.0, x * beta))) / beta)


@softplus.grad("x")
def softplus_grad_x(g, x, *, beta, threshold):
    return where(x * beta > threshold, g, g / (1.0 + exp(-(x * beta))))


# ---------------------------------------------------------------------- comparison and logic
@pointwise(on="torch Tensor", operator="__eq__", inplace=True, result="bool")
def eq(x, y):
    return x == y


@pointwise(on="torch Tensor", operator="__ne__", inplace=True, result="bool")
def ne(x, y):
    return x != y


@pointwise(on="torch Tensor", operator="__lt__", inplace=True, result="bool")
def lt(x, y):
    return x < y


@pointwise(on="torch Tensor", operator="__le__", inplace=True, result="bool")
def le(x, y):
    return x <= y


@pointwise(on="torch Tensor", operator="__gt__", inplace=True, result="bool")
def gt(x, y):
    return x > y


@pointwise(on="torch Tensor", operator="__ge__", inplace=True, result="bool")
def ge(x, y):
    return x >= y


@pointwise(on="torch Tensor", result="bool")
def isnan(x):
    return x != x


@pointwise(on="torch Tensor", inplace=True, result="bool")
def logical_not(x):
    return x == 0


@pointwise(on="torch Tensor", inplace=True, result="bool")
def logical_and(x, y):
    return (x != 0) & (y != 0)


@pointwise(on="torch Tensor", inplace=True, result="bool")
def logical_or(x, y):
    return (x != 0) | (y != 0)


@pointwise(on="torch Tensor", inplace=True, result="bool")
def logical_xor(x, y):
    return (x != 0) ^ (y != 0)


@pointwise(on="torch Tensor", operator="__and__ __rand__ __iand__", inplace=True)
def bitwise_and(x, y):
    return x & y


@pointwise(on="torch Tensor", operator="__or__ __ror__ __ior__", inplace=True)
def bitwise_or(x, y):
    return x | y


@pointwise(on="torch Tensor", operator="__xor__ __rxor__ __ixor__", inplace=True)
def bitwise_xor(x, y):
    return x ^ y


@pointwise(on="torch Tensor", inplace=True)
def bitwise_not(x):
    return ~x
