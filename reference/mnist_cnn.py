"""Two convolutions and a linear layer on pictures of MNIST's shape."""

import torch

STEPS = 20
LEARNING_RATE = 1e-2
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def make_model():
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, kernel_size=5, padding=2),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(16, 32, kernel_size=5, padding=2),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(32 * 7 * 7, 10),
    ).to(DEVICE)


def make_data():
    """Fifty grey 28x28 pictures: every class is one random pattern, seen through noise."""
    patterns = torch.randn(10, 1, 28, 28)
    labels = torch.randint(0, 10, (50,))
    pictures = patterns[labels] + torch.randn(50, 1, 28, 28)
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
