"""Autograd from nothing: fit a straight line to eleven readings of two thermometers.

Somebody wrote down eleven temperatures twice: from a thermometer in degrees Celsius, and from an
old one whose unit nobody remembers. We look for two numbers w and b that turn one into the other,

    t_c = w * (0.1 * t_u) + b

by starting with a bad guess and walking downhill. To walk downhill we must know which way is down,
and finding that out is all that autograd does. Read this file from top to bottom, and run it.
"""

import torch

CELSIUS = [0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0]
UNKNOWN = [35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4]

EPOCHS = 5000
LEARNING_RATE = 1e-2
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


# ---- 1. A model is a formula, and the loss is one number that says how wrong it is


def make_data():
    """The readings, scaled: with numbers of about the same size, one step size suits w and b."""
    return 0.1 * torch.tensor(UNKNOWN, device=DEVICE), torch.tensor(CELSIUS, device=DEVICE)


def make_parameters():
    """The guess. `requires_grad` asks that whatever is computed from w and b be recorded."""
    w = torch.tensor(1.0, device=DEVICE, requires_grad=True)
    b = torch.tensor(0.0, device=DEVICE, requires_grad=True)
    return w, b


def loss_of(w, b, x, t_c):
    """How far the line misses the readings: the mean of the squared errors."""
    return ((w * x + b - t_c) ** 2).mean()


# ---- 2. While the loss is computed, every operation leaves a node behind: these are the graph


def show_graph(w, b, x, t_c):
    """Compute the loss one operation at a time, walk back from it, and print what is met."""
    product = w * x
    line = product + b
    error = line - t_c
    square = error**2
    loss = square.mean()

    steps = {
        "product = w * x": product,
        "line = product + b": line,
        "error = line - t_c": error,
        "square = error ** 2": square,
        "loss = mean(square)": loss,
    }

    # Gradients of intermediate values are normally dropped as soon as they have been passed on.
    for tensor in steps.values():
        tensor.retain_grad()
    loss.backward()

    # A value that was computed knows the node that made it as grad_fn, and a node knows the nodes
    # its inputs came from. Each path ends at a parameter, in a node that adds up its gradient.
    made_by = {tensor.grad_fn: (formula, tensor) for formula, tensor in steps.items()}
    print(f"{'':40} {'value':>20}   {'gradient':>20}")
    to_visit = [(loss.grad_fn, 0)]
    while to_visit:
        node, depth = to_visit.pop()
        if node in made_by:
            formula, tensor = made_by[node]
        else:
            tensor = node.variable
            formula = "w" if tensor is w else "b"
        label = f"{'  ' * depth}{formula}  ({type(node).__name__})"
        print(f"{label:40} {brief(tensor.detach()):>20}   {brief(tensor.grad):>20}")
        sources = [source for source, _ in node.next_functions if source is not None]
        to_visit += [(source, depth + 1) for source in reversed(sources)]


def brief(tensor):
    """A number as it is; of a column the first and the last."""
    values = tensor.tolist()
    return f"{values[0]:.3f} .. {values[-1]:.3f}" if tensor.dim() else f"{values:.3f}"


READING_THE_GRAPH = """
The gradient of a value says how fast the loss grows as that value grows. It is found from the loss
backwards: every node takes the gradient of what it made and hands on the gradient of what it used.

  loss      grows as fast as itself: 1
  square    one of eleven that are averaged: 1 / 11
  error     a square grows by twice its root: 2 * error / 11
  line      a difference hands on what it gets, and so does a sum
  product   likewise
  w         a product hands on the other factor: x times that, summed, since all eleven share one w
  b         what the sum handed on, summed likewise

x and t_c are not in the graph: they are given, so nobody asked for their gradients.
"""


# ---- 3. The gradient, found three ways


def gradient_by_hand(w, b, x, t_c):
    """The chain rule on paper: an error e counts as e**2 / n, whose slope is 2 * e / n."""
    error = (w * x + b - t_c).detach()
    return (2.0 * error * x).mean().item(), (2.0 * error).mean().item()


def gradient_by_autograd(w, b, x, t_c):
    """The same rule, applied node by node as above."""
    w.grad = b.grad = None
    loss_of(w, b, x, t_c).backward()
    return w.grad.item(), b.grad.item()


def gradient_by_differences(w, b, x, t_c, h=1e-3):
    """No rule at all: move each parameter a little both ways, and see what the loss does.

    In float64, because the two losses agree in most of their digits and the answer is in the rest.
    """
    w, b, x, t_c = (tensor.detach().double() for tensor in (w, b, x, t_c))
    by_w = (loss_of(w + h, b, x, t_c) - loss_of(w - h, b, x, t_c)) / (2.0 * h)
    by_b = (loss_of(w, b + h, x, t_c) - loss_of(w, b - h, x, t_c)) / (2.0 * h)
    return by_w.item(), by_b.item()


# ---- 4. Training: compute the loss, ask for the gradient, take a small step against it, again


def train(w, b, x, t_c, epochs):
    """Gradient descent. Changes w and b, and returns the loss at every epoch."""
    losses = []
    for _ in epochs:
        w.grad = b.grad = None  # backward adds to what is there
        loss = loss_of(w, b, x, t_c)
        loss.backward()
        with torch.no_grad():  # the step itself is not part of the formula
            w -= LEARNING_RATE * w.grad
            b -= LEARNING_RATE * b.grad
        losses.append(loss.item())
    return losses


def progress(epochs):
    """Count the epochs with tqdm's bar or, where tqdm is missing, with a line now and then."""
    try:
        from tqdm import trange
    except ImportError:
        for epoch in range(epochs):
            if epoch % (epochs // 5) == 0:
                print(f"epoch {epoch:4} of {epochs} (with tqdm installed: a progress bar)")
            yield epoch
    else:
        yield from trange(epochs, desc="training", unit="epoch")


def save_picture(w, b, x, t_c, losses, path="linear_fit.png"):
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("matplotlib is not installed: no picture")
        return
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    ends = torch.stack([x.min(), x.max()])
    left.plot(UNKNOWN, CELSIUS, "o", label="readings")
    left.plot((10.0 * ends).tolist(), (w * ends + b).tolist(), label="w * (0.1 * t_u) + b")
    left.set(xlabel="t_u, unknown unit", ylabel="t_c, degrees Celsius")
    left.set_title(f"w = {w:.4f}, b = {b:.4f}")
    left.legend()
    right.loglog(range(1, len(losses) + 1), losses)
    right.set(xlabel="epoch", ylabel="loss")
    figure.savefig(path)
    print(f"the readings, the line and the loss curve: {path}")


def main():
    x, t_c = make_data()
    w, b = make_parameters()

    print("1. A guess, and how wrong it is\n")
    loss = loss_of(w, b, x, t_c).item()
    print(f"t_c = {w.item()} * (0.1 * t_u) + {b.item()} has the loss {loss:.4f}\n")

    print("2. The graph of that loss; of columns the first and the last number\n")
    show_graph(w, b, x, t_c)
    print(READING_THE_GRAPH)

    print("3. The gradient three ways\n")
    ways = {
        "by hand": gradient_by_hand(w, b, x, t_c),
        "by autograd": gradient_by_autograd(w, b, x, t_c),
        "by finite differences": gradient_by_differences(w, b, x, t_c),
    }
    print(f"{'':22} {'for w':>10} {'for b':>10}")
    for way, (by_w, by_b) in ways.items():
        print(f"{way:22} {by_w:10.4f} {by_b:10.4f}")

    print(f"\n4. {EPOCHS} small steps downhill\n")
    losses = train(w, b, x, t_c, progress(EPOCHS))
    for epoch in (1, 10, 100, 1000, EPOCHS):
        print(f"epoch {epoch:4}: loss {losses[epoch - 1]:8.4f}")
    save_picture(w.item(), b.item(), x, t_c, losses)
    print(f"\nw = {w.item():.4f}, b = {b.item():.4f}")


if __name__ == "__main__":
    main()
