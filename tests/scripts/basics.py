"""Tensors and autograd: one cubic fitted to a sine by hand, by a Function of our own, by a module."""

import math

import numpy as np
import torch

dtype = torch.float
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
torch.manual_seed(1)
np.random.seed(1)


class LegendreP3(torch.autograd.Function):
    """(5 x^3 - 3 x) / 2."""

    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class Cubic(torch.nn.Module):
    """A cubic with four numbers to learn."""

    def __init__(self):
        super().__init__()
        for name in "abcd":
            self.register_parameter(name, torch.nn.Parameter(torch.randn(())))

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2 + self.d * x**3

    def formula(self):
        return " + ".join(f"{p.item():.4f} x^{i}" for i, p in enumerate(self.parameters()))


def show(step, loss):
    print(step, f"{loss.item():.8g}")


# Tensors: made, described, changed, shared with NumPy.
data = [[1, 2], [3, 4]]
x_data = torch.tensor(data)
x_np = torch.from_numpy(np.array(data))
ones, rand = torch.ones_like(x_data), torch.rand_like(x_data, dtype=torch.float)
print(x_data, x_np, ones, rand, torch.rand(2, 3), torch.zeros(2, 3), sep="\n")
tensor = torch.ones(4, 4)
tensor[:, 1] = 0
print(tensor.shape, tensor.dtype, tensor.device, tensor[..., -1], torch.cat([tensor, tensor], dim=1), sep="\n")
y1, y2 = tensor @ tensor.T, tensor.matmul(tensor.t())
print(torch.equal(y1, y2), tensor.mul(tensor).sum().item(), torch.empty(5, 3).size(), tensor.view(-1, 8).size())
n = tensor.numpy()
np.add(n, 1, out=n)
tensor.add_(5).clamp_(max=6.5)
print(tensor, n[0], torch.arange(10).reshape(2, 5), torch.linspace(0, 1, 3), torch.full((2,), 7), sep="\n")
print(x_data.to(dtype).mean(dim=0), x_data.max(dim=1), torch.stack([x_data, x_np]).shape, x_data.argmax().item())

# Autograd: graph, leaves, gradients that add up, no_grad and detach.
x = torch.ones(2, 2, requires_grad=True)
y = x + 2
out = (y * y * 3).mean()
print(y.grad_fn is not None, x.is_leaf, out)
out.backward(retain_graph=True)
out.backward()
print(x.grad, torch.autograd.grad((x**3).sum(), x)[0])
with torch.no_grad():
    print((x**2).requires_grad, x.detach().requires_grad)
v = torch.tensor([0.1, 1.0, 0.0001])
x = torch.randn(3, requires_grad=True)
y = x * 2
while y.norm() < 1000:
    y = y * 2
y.backward(v)
print(y, x.grad)

# NumPy alone, as the tutorials begin.
xs = np.linspace(-math.pi, math.pi, 200)
a, b, c, d = np.random.randn(4)
for step in range(5):
    y_pred = a + b * xs + c * xs**2 + d * xs**3
    grad = 2.0 * (y_pred - np.sin(xs))
    show(step, np.square(y_pred - np.sin(xs)).sum())
    a, b, c, d = (p - 1e-6 * (grad * xs**i).sum() for i, p in enumerate((a, b, c, d)))

# The same with autograd, updated by hand.
xs = torch.linspace(-math.pi, math.pi, 200, device=device, dtype=dtype)
ys = torch.sin(xs)
a, b, c, d = (torch.randn((), device=device, dtype=dtype, requires_grad=True) for _ in range(4))
for step in range(5):
    loss = (a + b * xs + c * xs**2 + d * xs**3 - ys).pow(2).sum()
    show(step, loss)
    loss.backward()
    with torch.no_grad():
        for p in (a, b, c, d):
            p -= 1e-6 * p.grad
            p.grad = None

# A Function with a backward of its own.
a, b, c, d = (torch.full((), s, device=device, dtype=dtype, requires_grad=True) for s in (0.0, -1.0, 0.0, 0.3))
for step in range(5):
    loss = (a + b * LegendreP3.apply(c + d * xs) - ys).pow(2).sum()
    show(step, loss)
    loss.backward()
    with torch.no_grad():
        for p in (a, b, c, d):
            p -= 5e-6 * p.grad
            p.grad.zero_()

# A module and an optimizer.
model = Cubic().to(device)
criterion = torch.nn.MSELoss(reduction="sum")
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2)
for step in range(20):
    loss = criterion(model(xs), ys)
    show(step, loss)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(model.formula())
