"""CIFAR-quick: three 5x5 convolutions, pooled, on pictures of CIFAR-10's shape."""

import minitorch as torch

STEPS = 20
LEARNING_RATE = 1e-2
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def make_model():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 32, kernel_size=5, padding=2),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(32, 32, kernel_size=5, padding=2),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(32, 64, kernel_size=5, padding=2),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(64 * 4 * 4, 64),
        torch.nn.Linear(64, 10),
    ).to(DEVICE)


def make_data():
    """Sixty-four 32x32 colour pictures: every class is one random pattern, seen through noise."""
    patterns = torch.randn(10, 3, 32, 32)
    labels = torch.randint(0, 10, (64,))
    pictures = patterns[labels] + torch.randn(64, 3, 32, 32)
    return pictures.to(DEVICE), labels.to(DEVICE)


def train(model, pictures, labels, steps):
    """Gradient descent on the whole batch; returns the loss at every step."""
    loss_fn = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_fn(model(pictures), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = make_model()
    print(model)
    losses = train(model, *make_data(), STEPS)
    print(f"loss {losses[0]:.4f} at the first step, {losses[-1]:.4f} after {STEPS}")
