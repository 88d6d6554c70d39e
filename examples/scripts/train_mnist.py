"""Train a small network on MNIST's files: an ordinary PyTorch script, which runs without PyTorch too.

    python examples/scripts/make_digits_files.py data             # or MNIST itself, in data/MNIST/raw
    python examples/scripts/train_mnist.py data                   # PyTorch
    python -m minitorch examples/scripts/train_mnist.py data      # minitorch, the same output

The models are those of reference/mnist_cnn.py and reference/mlp.py.
"""

import argparse

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

MODELS = {
    "cnn": lambda: nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    ),
    "mlp": lambda: nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    ),
}


def train(model, loader, optimizer, epoch, steps):
    model.train()
    for step, (pictures, labels) in enumerate(loader):
        if step == steps:
            break
        optimizer.zero_grad()
        loss = F.cross_entropy(model(pictures), labels)
        loss.backward()
        optimizer.step()
        if step % 5 == 0:
            print(f"epoch {epoch} step {step:3} loss {loss.item():.3f}")


def test(model, loader):
    model.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for pictures, labels in loader:
            scores = model(pictures)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
    count = len(loader.dataset)
    print(f"test loss {loss / count:.3f}, {right} of {count} read correctly")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", help="the folder in which MNIST/raw is")
    parser.add_argument("--model", choices=MODELS, default="cnn")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, help="batches of an epoch (default: all)")
    parser.add_argument("--workers", type=int, default=0, help="processes that load batches")
    parser.add_argument("--download", action="store_true", help="get MNIST if it is not there")
    args = parser.parse_args()

    torch.manual_seed(0)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    training = datasets.MNIST(args.root, train=True, transform=transform, download=args.download)
    held_out = datasets.MNIST(args.root, train=False, transform=transform)
    print(training)
    train_loader = DataLoader(training, batch_size=64, shuffle=True, num_workers=args.workers)
    test_loader = DataLoader(held_out, batch_size=256, num_workers=args.workers)

    model = MODELS[args.model]()
    print(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(args.epochs):
        train(model, train_loader, optimizer, epoch, args.steps)
        test(model, test_loader)


if __name__ == "__main__":
    main()
