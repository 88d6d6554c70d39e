"""Train a convolutional network on CIFAR-10's files: an ordinary PyTorch script, which runs without PyTorch too.

    python examples/scripts/make_digits_files.py data
    python examples/scripts/train_cifar.py data                   # PyTorch
    python -m minitorch examples/scripts/train_cifar.py data      # minitorch, the same output

The models are those of reference/cifar_quick.py and reference/simple_cnn.py.
"""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


class UncheckedCIFAR10(datasets.CIFAR10):
    """CIFAR-10 without its checksums, which the digits' files do not have."""

    train_list = [[name, None] for name, _ in datasets.CIFAR10.train_list]
    test_list = [[name, None] for name, _ in datasets.CIFAR10.test_list]
    meta = {**datasets.CIFAR10.meta, "md5": None}


class SimpleCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(64 * 8 * 8, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def make_cifar_quick():
    return nn.Sequential(
        nn.Conv2d(3, 32, kernel_size=5, padding=2),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, kernel_size=5, padding=2),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=5, padding=2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 64),
        nn.Linear(64, 10),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", help="the folder in which cifar-10-batches-py is")
    parser.add_argument("--model", choices=["quick", "simple"], default="simple")
    parser.add_argument("--steps", type=int, default=45)
    parser.add_argument("--workers", type=int, default=0, help="processes that load batches")
    args = parser.parse_args()

    torch.manual_seed(0)
    normalize = transforms.Normalize((0.3, 0.3, 0.3), (0.3, 0.3, 0.3))
    augment = transforms.Compose([transforms.RandomCrop(32, padding=2), transforms.ToTensor(), normalize])
    plain = transforms.Compose([transforms.ToTensor(), normalize])
    training = UncheckedCIFAR10(args.root, transform=augment)
    held_out = UncheckedCIFAR10(args.root, train=False, transform=plain)
    loader = DataLoader(training, batch_size=32, shuffle=True, num_workers=args.workers)
    print(f"{len(training)} pictures of {', '.join(training.classes)}")

    model = make_cifar_quick() if args.model == "quick" else SimpleCNN()
    print(model)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    step = 0
    while step < args.steps:
        for pictures, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(pictures), labels)
            loss.backward()
            optimizer.step()
            step += 1
            if step % 5 == 0:
                print(f"step {step:3} loss {loss.item():.3f}")
            if step == args.steps:
                break

    model.eval()
    right = 0
    with torch.no_grad():
        for pictures, labels in DataLoader(held_out, batch_size=256):
            right += (model(pictures).argmax(dim=1) == labels).sum().item()
    print(f"{right} of {len(held_out)} held-out digits read correctly")


if __name__ == "__main__":
    main()
