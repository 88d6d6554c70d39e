"""Every scalar formula and its gradient: the table of derivatives.

A formula calls only what `_kernels/scalar.py` names; it uses `where` instead of `if`, and floats as literals. What a
gradient names is kept for it: prefer `out` to `x` where both would do, since in-place use is then safe. Values at
the edges (0, nan, infinity, ties) are torch's.

Inside a formula `exp` is the vocabulary's function, although in this file the name belongs to the record of the op:
formulas run with names of their own (`codegen.Formula`). Imported are the vocabulary's names that no op here has.
"""

from minitorch._kernels.scalar import (  # type: ignore[attr-defined]
    absolute,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    left_shift,
    maximum,
    minimum,
    muladd,
    right_shift,
    rint,
    where,
)

from .op import pointwise

# ---------------------------------------------------------------------- arithmetic
# `is`: 1.0 and True are equal to 1, and have rules of their own
_ALPHA = "if alpha is not ONE: return scaled_sum({name}_op, '{twin}', input, other, alpha)"


@pointwise(
    on="torch Tensor",
    operator="__add__ __radd__ __iadd__",
    inplace=True,
    extra="*, alpha=1",
    before=_ALPHA,
    numbers="xy",
)
def add(x, y):
    return x + y


@add.grad("x", "y")
def add_grad(g):
    return g


@pointwise(
    on="torch Tensor",
    operator="__sub__ __isub__",
    inplace=True,
    extra="*, alpha=1",
    before=_ALPHA,
    guard="if other.__class__ is bool: refuse_bool_operand({name}_op, input)",
    numbers="xy",
)
def sub(x, y):
    return x - y


@sub.grad("x")
def sub_grad_x(g):
    return g


@sub.grad("y")
def sub_grad_y(g):
    return -g


# of floats: add and sub with alpha
@pointwise(title="Add", inplace=True, by_name="alpha")
def add_scaled(x, y, *, alpha=1):
    return muladd(y, alpha, x)


@add_scaled.grad("x")
def add_scaled_grad_x(g):
    return g


@add_scaled.grad("y")
def add_scaled_grad_y(g, *, alpha):
    return g * alpha


@pointwise(title="Sub", inplace=True, by_name="alpha")
def sub_scaled(x, y, *, alpha=1):
    return muladd(y, -alpha, x)


@sub_scaled.grad("x")
def sub_scaled_grad_x(g):
    return g


@sub_scaled.grad("y")
def sub_scaled_grad_y(g, *, alpha):
    return -g * alpha


@pointwise(on="torch Tensor", operator="__mul__ __rmul__ __imul__", inplace=True, numbers="xy")
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
    before="if rounding_mode is not None: return rounded_division('{twin}', input, other, rounding_mode)", numbers="xy",
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


@pointwise(
    on="torch Tensor",
    operator="__floordiv__ __ifloordiv__",
    inplace=True,
    bools=False,
    guard=_BY_ZERO,
    kernel="div_floor_cpu",
    numbers="xy",
)
def floor_divide(x, y):
    return x // y


# the factors of addcmul, the quotient of addcdiv
_TERMS = {"y": "tensor1", "z": "tensor2"}


# rounding_mode of div: unlike `//`, these have a gradient, which is 0
@pointwise(title="Div", bools=False, kernel="div_floor_cpu", numbers="xy")
def div_floor(x, y):
    return x // y


@pointwise(title="Div", bools=False, kernel="div_trunc_cpu", numbers="xy")
def div_trunc(x, y):
    return trunc(x / y)


@div_floor.grad("x", "y")
@div_trunc.grad("x", "y")
def div_rounded_grad(g):
    return where(g == g, 0.0, 0.0 * g)


@pointwise(on="torch Tensor", operator="__mod__ __imod__", inplace=True, bools=False, guard=_BY_ZERO, numbers="xy")
def remainder(x, y):
    rest = x % y
    return where(rest == 0.0, x * absolute(rest), rest)  # a zero has the sign of x, in Python and NumPy that of y


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


@pointwise(on="torch Tensor", operator="__neg__", inplace="torch Tensor")
def neg(x):
    return -x


@neg.grad("x")
def neg_grad_x(g):
    return -g


# torch's PowBackward0 with an exponent of 2, by far the commonest, and others that torch multiplies or takes roots for;
# `powers.py` chooses
@pointwise(title="Pow", inplace=True)
def pow_2(x):
    return x * x


@pow_2.grad("x")
def pow_2_grad_x(g, x):
    return g * (x + x)


@pointwise(title="Pow", inplace=True)
def pow_3(x):
    return x * x * x


@pow_3.grad("x")
def pow_3_grad_x(g, x):
    return g * (3.0 * (x * x))


@pointwise(title="Pow", inplace=True)
def pow_0(x):
    return 1.0


@pow_0.grad("x")
def pow_0_grad_x(g):
    return 0.0 * g


@pointwise(title="Pow", inplace=True)
def pow_1(x):
    return x


@pow_1.grad("x")
def pow_1_grad_x(g, x):
    return g * x**0.0  # a second gradient finds x there


@pointwise(title="Pow", inplace=True)
def pow_half(x):
    return sqrt(x)


@pow_half.grad("x")
def pow_half_grad_x(g, x):
    return g * (0.5 * x**-0.5)


@pointwise(title="Pow", inplace=True)
def pow_minus_half(x):
    return 1.0 / sqrt(x)


@pow_minus_half.grad("x")
def pow_minus_half_grad_x(g, x):
    return g * (-0.5 * x**-1.5)


@pointwise(title="Pow", inplace=True)
def pow_minus_1(x):
    return 1.0 / x


@pow_minus_1.grad("x")
def pow_minus_1_grad_x(g, x):
    return g * (-(x**-2.0))


@pointwise(title="Pow", inplace=True)
def pow_minus_2(x):
    return 1.0 / (x * x)


@pow_minus_2.grad("x")
def pow_minus_2_grad_x(g, x):
    return g * (-2.0 * x**-3.0)


@pointwise(title="Pow", inplace=True)
def pow_number(x, *, exponent):
    return x**exponent


@pow_number.grad("x")
def pow_number_grad_x(g, x, *, exponent):
    return where(exponent == 0.0, 0.0 * g, g * (exponent * x ** (exponent - 1.0)))


@pointwise(title="PowBackward1", inplace=True, bools=False, letters={"y": "exponent"}, kernel="pow")
def pow_tensor(x, y):
    return x**y


@pow_tensor.grad("x")
def pow_tensor_grad_x(g, x, y):
    return where(y == 0.0, 0.0 * g, g * (y * x ** (y - 1.0)))


@pow_tensor.grad("y")
def pow_tensor_grad_y(g, x, y, out):
    return where((x == 0.0) & (y >= 0.0), 0.0 * g, g * (out * log(x)))


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def reciprocal(x):
    return 1.0 / x


@reciprocal.grad("x")
def reciprocal_grad_x(g, out):
    return -g * (out * out)


@pointwise(
    on="torch Tensor", inplace=True, bools=False, numbers="", kernel="addcmul_cpu_out", letters=_TERMS, by_name="value"
)
def addcmul(x, y, z, *, value=1):
    return muladd(value * y, z, x)


@addcmul.grad("x")
def addcmul_grad_x(g):
    return g


@addcmul.grad("y")
def addcmul_grad_y(g, z, *, value):
    return g * (z * value)


@addcmul.grad("z")
def addcmul_grad_z(g, y, *, value):
    return g * (y * value)


@pointwise(
    on="torch Tensor",
    inplace=True,
    numbers="",
    letters=_TERMS,
    by_name="value",
    guard="refuse_integer_quotient(input, tensor1, tensor2)",
)
def addcdiv(x, y, z, *, value=1):
    return x + value * y / z


@addcdiv.grad("x")
def addcdiv_grad_x(g):
    return g


@addcdiv.grad("y")
def addcdiv_grad_y(g, z, *, value):
    return g * (value / z)


@addcdiv.grad("z")
def addcdiv_grad_z(g, y, z, *, value):
    return -g * (value * y / (z * z))


# nearer the end from there: exact at both ends
@pointwise(
    on="torch Tensor",
    inplace=True,
    result="float_only",
    kernel="lerp_kernel_scalar",
    letters={"y": "end", "z": "weight"},
    guard="check_lerp(input, end, weight)",
)
def lerp(x, y, z):
    return where(absolute(z) < 0.5, muladd(z, y - x, x), muladd(z - 1.0, y - x, y))


@lerp.grad("x")
def lerp_grad_x(g, z):
    return g * (1.0 - z)


@lerp.grad("y")
def lerp_grad_y(g, z):
    return g * z


@lerp.grad("z")
def lerp_grad_z(g, x, y):
    return g * (y - x)


@pointwise(on="torch Tensor", inplace=True, result="float")
def copysign(x, y):
    return copysign(x, y)


@copysign.grad("x")
def copysign_grad_x(g, x, out):
    return where(x == 0.0, 0.0, g * (out / x))


@pointwise(on="torch Tensor", inplace=True, result="float_only", numbers="")
def hypot(x, y):
    return hypot(x, y)


@hypot.grad("x")
def hypot_grad_x(g, x, out):
    return g * (x / out)


@hypot.grad("y")
def hypot_grad_y(g, y, out):
    return g * (y / out)


@pointwise(on="torch Tensor", inplace=True, result="float_only", numbers="")
def nextafter(x, y):
    return nextafter(x, y)


@nextafter.grad("x")
def nextafter_grad_x(g, x, y):
    return where(x == y, 0.0, g)


@nextafter.grad("y")
def nextafter_grad_y(g):
    return g * 0.0


@pointwise(on="torch Tensor", inplace="torch Tensor", numbers="")
def gcd(x, y):
    return gcd(x, y)


@pointwise(on="torch Tensor", inplace="torch Tensor", numbers="")
def lcm(x, y):
    return lcm(x, y)


@pointwise(on="torch Tensor", inplace=True, numbers="", guard="check_heaviside(input, values)", letters={"y": "values"})
def heaviside(x, y):
    return where(x == 0.0, y, where(x > 0.0, 1.0, 0.0))


# ---------------------------------------------------------------------- exponentials, roots, logarithms
@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def exp(x):
    return exp(x)


@exp.grad("x")
def exp_grad_x(g, out):
    return g * out


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def exp2(x):
    return exp2(x)


@exp2.grad("x")
def exp2_grad_x(g, out):
    return g * (out * 0.6931471805599453)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def expm1(x):
    return expm1(x)


@expm1.grad("x")
def expm1_grad_x(g, out):
    return g * (out + 1.0)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def log(x):
    return log(x)


@log.grad("x")
def log_grad_x(g, x):
    return g / x


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def log1p(x):
    return log1p(x)


@log1p.grad("x")
def log1p_grad_x(g, x):
    return g / (x + 1.0)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def log2(x):
    return log2(x)


@log2.grad("x")
def log2_grad_x(g, x):
    return g / (x * 0.6931471805599453)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def log10(x):
    return log10(x)


@log10.grad("x")
def log10_grad_x(g, x):
    return g / (x * 2.302585092994046)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
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


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def rsqrt(x):
    return 1.0 / sqrt(x)


@rsqrt.grad("x")
def rsqrt_grad_x(g, out):
    return -0.5 * g * (out * out * out)


@pointwise(on="torch Tensor", result="float_only", numbers="")
def logaddexp(x, y):
    return logaddexp(x, y)


@logaddexp.grad("x")
def logaddexp_grad_x(g, x, y):
    return g / (1.0 + exp(y - x))


@logaddexp.grad("y")
def logaddexp_grad_y(g, x, y):
    return g / (1.0 + exp(x - y))


@pointwise(on="torch Tensor", result="float_only", numbers="")
def logaddexp2(x, y):
    return logaddexp2(x, y)


@logaddexp2.grad("x")
def logaddexp2_grad_x(g, x, y):
    return g / (1.0 + exp2(y - x))


@logaddexp2.grad("y")
def logaddexp2_grad_y(g, x, y):
    return g / (1.0 + exp2(x - y))


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float", numbers="xy")
def xlogy(x, y):
    return where(y != y, y, where(x == 0.0, 0.0, x * log(y)))


@xlogy.grad("x")
def xlogy_grad_x(g, x, y):
    return where((x == 0.0) & (y <= 0.0), 0.0, g * log(y))


@xlogy.grad("y")
def xlogy_grad_y(g, x, y):
    return g * x / y


# ---------------------------------------------------------------------- trigonometry
@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def sin(x):
    return sin(x)


@sin.grad("x")
def sin_grad_x(g, x):
    return g * cos(x)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def cos(x):
    return cos(x)


@cos.grad("x")
def cos_grad_x(g, x):
    return -g * sin(x)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def tan(x):
    return tan(x)


@tan.grad("x")
def tan_grad_x(g, out):
    return g * (1.0 + out * out)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def asin(x):
    return arcsin(x)


@asin.grad("x")
def asin_grad_x(g, x):
    return g / sqrt(1.0 - x * x)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def acos(x):
    return arccos(x)


@acos.grad("x")
def acos_grad_x(g, x):
    return -g / sqrt(1.0 - x * x)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def atan(x):
    return arctan(x)


@atan.grad("x")
def atan_grad_x(g, x):
    return g / (1.0 + x * x)


@pointwise(on="torch Tensor", inplace=True, result="float", numbers="")
def atan2(x, y):
    return arctan2(x, y)


@atan2.grad("x")
def atan2_grad_x(g, x, y):
    return where(x * x + y * y == 0.0, 0.0 * g, g * (y / (x * x + y * y)))


@atan2.grad("y")
def atan2_grad_y(g, x, y):
    return where(x * x + y * y == 0.0, 0.0 * g, -g * (x / (x * x + y * y)))


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def asinh(x):
    return arcsinh(x)


@asinh.grad("x")
def asinh_grad_x(g, x):
    return g / sqrt(x * x + 1.0)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def acosh(x):
    return arccosh(x)


@acosh.grad("x")
def acosh_grad_x(g, x):
    return g / sqrt(x * x - 1.0)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def atanh(x):
    return arctanh(x)


@atanh.grad("x")
def atanh_grad_x(g, x):
    return g / (1.0 - x * x)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def deg2rad(x):
    return x * 0.017453292519943295


@deg2rad.grad("x")
def deg2rad_grad_x(g):
    return g * 0.017453292519943295


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def rad2deg(x):
    return x * 57.29577951308232


@rad2deg.grad("x")
def rad2deg_grad_x(g):
    return g * 57.29577951308232


# sin(pi x) / (pi x)
@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def sinc(x):
    return where(x == 0.0, 1.0, sin(x * 3.141592653589793) / (x * 3.141592653589793))


@sinc.grad("x")
def sinc_grad_x(g, x):
    p = x * 3.141592653589793
    return where(x == 0.0, 0.0, g * ((p * cos(p) - sin(p)) / (p * x)))


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def sinh(x):
    return sinh(x)


@sinh.grad("x")
def sinh_grad_x(g, x):
    return g * cosh(x)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float")
def cosh(x):
    return cosh(x)


@cosh.grad("x")
def cosh_grad_x(g, x):
    return g * sinh(x)


@pointwise(on="torch Tensor nn.functional", inplace="torch Tensor", result="float")
def tanh(x):
    return tanh(x)


@pointwise(title="TanhBackwardBackward0", result="float", letters={"x": "grad_output", "y": "result"})
def tanh_backward(x, y):
    return x * muladd(-y, y, 1.0)


tanh.grad_by("x", tanh_backward, "g out")
tanh_backward.grad_by("x", tanh_backward, "g y")


@tanh_backward.grad("y")
def tanh_backward_grad_y(g, x, y):
    return -2.0 * g * x * y


# ---------------------------------------------------------------------- rounding, sign, choice
_INTEGERS = "if isinstance(input, Tensor) and not input.is_floating_point(): return unrounded('{twin}', input)"


@pointwise(on="torch Tensor", inplace="torch Tensor", bools=False, before=_INTEGERS, kernel="floor_vml_cpu")
def floor(x):
    return floor(x)


@pointwise(on="torch Tensor", inplace="torch Tensor", bools=False, before=_INTEGERS, kernel="ceil_vml_cpu")
def ceil(x):
    return ceil(x)


@pointwise(on="torch Tensor", inplace="torch Tensor", bools=False, before=_INTEGERS, kernel="trunc_vml_cpu")
def trunc(x):
    return trunc(x)


# to an integer, halves to even; `bounds.py` has the decimals
@pointwise(title="Round", inplace=True, bools=False, before=_INTEGERS, kernel="round_vml_cpu")
def round_to_even(x):
    return rint(x)


@round_to_even.grad("x")
@floor.grad("x")
@ceil.grad("x")
@trunc.grad("x")
def rounding_grad_x(g):
    return where(g == g, 0.0, 0.0 * g)


@pointwise(on="torch Tensor", inplace="torch Tensor", result="float_only")
def frac(x):
    return x - trunc(x)


@frac.grad("x")
def frac_grad_x(g):
    return g


# of a real number: 0, or pi where it is negative
@pointwise(title="Angle", result="float")
def angle_of_real(x):
    return where(x < 0.0, 3.141592653589793, where(x != x, x, 0.0))


@angle_of_real.grad("x")
def angle_of_real_grad_x(g):
    return where(g == g, 0.0, 0.0 * g)


@pointwise(on="torch Tensor", operator="__abs__", inplace="torch Tensor", bools=False)
def abs(x):
    return absolute(x)


@abs.grad("x")
def abs_grad_x(g, x):
    return where(x > 0.0, g, where(x < 0.0, -g, 0.0))


@pointwise(on="torch Tensor", inplace=True)
def sign(x):
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, 0.0))


@pointwise(on="torch Tensor", inplace=True)
def sgn(x):
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, 0.0))


@sign.grad("x")
@sgn.grad("x")
def sign_grad_x(g):
    return where(g == g, 0.0, 0.0 * g)


@pointwise(on="torch Tensor", numbers="")
def maximum(x, y):  # noqa: F811
    return maximum(x, y)


@pointwise(on="torch Tensor", numbers="")
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


@pointwise(on="torch Tensor", numbers="")
def fmax(x, y):
    return fmax(x, y)


@pointwise(on="torch Tensor", numbers="")
def fmin(x, y):
    return fmin(x, y)


@fmax.grad("x")
def fmax_grad_x(g, x, y):
    return where((x >= y) | (y != y), g, 0.0)


@fmax.grad("y")
def fmax_grad_y(g, x, y):
    return where((x >= y) | (y != y), 0.0, g)


@fmin.grad("x")
def fmin_grad_x(g, x, y):
    return where((x <= y) | (y != y), g, 0.0)


@fmin.grad("y")
def fmin_grad_y(g, x, y):
    return where((x <= y) | (y != y), 0.0, g)


@pointwise(title="NanToNum", inplace=True)
def replace_nonfinite(x, *, nan, posinf, neginf):
    return where(x != x, nan, where(x == 1e999, posinf, where(x == -1e999, neginf, x)))


@replace_nonfinite.grad("x")
def replace_nonfinite_grad_x(g, x):
    return where((x != x) | (absolute(x) == 1e999), 0.0, g)


# log(x / (1 - x)), x kept between eps and 1 - eps unless eps is negative
@pointwise(title="Logit", inplace=True, result="float")
def logit_within(x, *, eps):
    z = where(eps < 0.0, x, where(x < eps, eps, where(x > 1.0 - eps, 1.0 - eps, x)))
    return log(z / (1.0 - z))


@logit_within.grad("x")
def logit_within_grad_x(g, x, *, eps):
    low = where(eps < 0.0, 0.0, eps)
    return where((x < low) | (x > 1.0 - low), where(eps < 0.0, 1e999 - 1e999, 0.0), g / (x * (1.0 - x)))


# the bounds of clamp, where the gradient passes at equality
@pointwise(title="Clamp", inplace=True)
def clamp_low(x, y):
    return where(y != y, y, where(x < y, y, x))  # not maximum: clamp(-0.0, min=0) is -0.0


@pointwise(title="Clamp", inplace=True)
def clamp_high(x, y):
    return where(y != y, y, where(x > y, y, x))


@pointwise(title="ClampBackward1", inplace=True)
def clamp_between(x, *, low, high):
    z = where(low != low, low, where(x < low, low, x))
    return where(high != high, high, where(z > high, high, z))


@clamp_between.grad("x")
def clamp_between_grad_x(g, x, *, low, high):
    return where((x >= low) & (x <= high), g, 0.0)


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


@pointwise(on="torch Tensor", result="bool", takes_out=False)
def isnan(x):
    return x != x


@pointwise(on="torch Tensor", result="bool", takes_out=False)
def isinf(x):
    return isinf(x)


@pointwise(on="torch Tensor", result="bool", takes_out=False)
def isfinite(x):
    return isfinite(x)


@pointwise(on="torch Tensor", result="bool")
def isposinf(x):
    return isinf(x) & (x > 0)


@pointwise(on="torch Tensor", result="bool")
def isneginf(x):
    return isinf(x) & (x < 0)


@pointwise(on="torch Tensor", result="bool", takes_out=False)
def isreal(x):
    return (x == x) | (x != x)


@pointwise(on="torch Tensor", result="bool")
def signbit(x):
    return signbit(x)


@pointwise(on="torch Tensor", inplace=True, result="bool")
def logical_not(x):
    return x == 0


@pointwise(on="torch Tensor", inplace=True, result="bool", numbers="")
def logical_and(x, y):
    return (x != 0) & (y != 0)


@pointwise(on="torch Tensor", inplace=True, result="bool", numbers="")
def logical_or(x, y):
    return (x != 0) | (y != 0)


@pointwise(on="torch Tensor", inplace=True, result="bool", numbers="")
def logical_xor(x, y):
    return (x != 0) ^ (y != 0)


@pointwise(on="torch Tensor", operator="__and__ __rand__ __iand__", inplace=True, numbers="xy")
def bitwise_and(x, y):
    return x & y


@pointwise(on="torch Tensor", operator="__or__ __ror__ __ior__", inplace=True, numbers="xy")
def bitwise_or(x, y):
    return x | y


@pointwise(on="torch Tensor", operator="__xor__ __rxor__ __ixor__", inplace=True, numbers="xy")
def bitwise_xor(x, y):
    return x ^ y


@pointwise(
    on="torch Tensor", operator="__lshift__ __ilshift__", inplace=True, bools=False, numbers="xy", kernel="lshift_cpu"
)
def bitwise_left_shift(x, y):
    return left_shift(x, y)


@pointwise(
    on="torch Tensor", operator="__rshift__ __irshift__", inplace=True, bools=False, numbers="xy", kernel="rshift_cpu"
)
def bitwise_right_shift(x, y):
    return right_shift(x, y)


@pointwise(on="torch Tensor", inplace=True)
def bitwise_not(x):
    return ~x
