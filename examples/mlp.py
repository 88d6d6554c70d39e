"""A perceptron with one hidden layer, 784-128-10, tells ten noisy patterns apart."""

import minitorch as torch

STEPS = 100
LEARNING_RATE = 1e-2
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def make_model():
    return torch.nn.Sequential(
        torch.nn.Linear(784, 128),
        torch.nn.ReLU(),
        torch.nn.Linear(128, 10),
    ).to(DEVICE)


def make_data():
    """Sixty-four flat 28x28 pictures: every class is one random pattern, seen through noise."""
    patterns = torch.randn(10, 784)
    labels = torch.randint(0, 10, (64,))
    pictures = patterns[labels] + torch.randn(64, 784)
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
