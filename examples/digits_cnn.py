"""Teach a small convolutional network to read handwritten digits, and see which ones it confuses.

    python examples/digits_cnn.py           # minitorch
    python examples/digits_cnn.py --torch   # the very same run in PyTorch, for comparison

The pictures are scikit-learn's: 1,797 digits written by 43 people, 8x8 pixels each. A fifth of them
is held out and never trained on. The seed gives both frameworks the same first weights and the same
order of pictures, so the losses that the two runs print agree to four decimals and more.
"""

import argparse
import importlib

from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from tqdm import tqdm

EPOCHS = 20
BATCH_SIZE = 32
LEARNING_RATE = 0.05
MOMENTUM = 0.9
SHOWN_LOSSES = 50


def make_data(torch):
    """Pictures (values from 0 to 1), labels, the rows to train on and the rows to hold out."""
    digits = load_digits()
    pictures = torch.from_numpy(digits.images).float().unsqueeze(1) / 16.0
    labels = torch.from_numpy(digits.target)
    order = torch.randperm(len(labels))
    held_out = len(labels) // 5
    return pictures, labels, order[held_out:], order[:held_out]


def make_model(nn):
    """Two convolutions, each pooled (8x8 pixels become 4x4, then 2x2), and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 2 * 2, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def train(torch, model, pictures, labels, rows, epochs):
    """Go through the rows in a new order every epoch. Yields the loss at every step."""
    loss_fn = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    for _ in range(epochs):
        order = rows[torch.randperm(len(rows))]
        for start in range(0, len(order), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            optimizer.zero_grad()
            loss = loss_fn(model(pictures[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            yield loss.item()


def count_confusions(torch, model, pictures, labels):
    """counts[i][j]: how many pictures of the digit i were read as j."""
    with torch.no_grad():
        read_as = model(pictures).argmax(dim=1)
    counts = [[0] * 10 for _ in range(10)]
    for digit, reading in zip(labels.tolist(), read_as.tolist(), strict=True):
        counts[digit][reading] += 1
    return counts


def print_confusions(counts):
    print("\nrows: the digit written; columns: what it was read as")
    print("   " + "".join(f"{reading:4}" for reading in range(10)))
    for digit, row in enumerate(counts):
        print(f"{digit:3}" + "".join(f"{count or '.':>4}" for count in row))


def save_picture(losses, counts, path):
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.semilogy(range(1, len(losses) + 1), losses, linewidth=0.7)
    left.set(xlabel="step", ylabel="loss", title="training")
    # Nearly all counts are on the diagonal; the square root keeps a single confusion visible.
    right.imshow([[count**0.5 for count in row] for row in counts], cmap="Blues")
    for digit, row in enumerate(counts):
        for reading, count in enumerate(row):
            if count:
                color = "white" if digit == reading else "black"
                right.text(reading, digit, count, ha="center", va="center", color=color)
    right.set(xticks=range(10), yticks=range(10))
    right.set(xlabel="read as", ylabel="digit written", title="held-out digits")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", action="store_true", help="run in PyTorch instead")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    args = parser.parse_args()
    framework = "torch" if args.torch else "minitorch"
    torch = importlib.import_module(framework)

    torch.manual_seed(0)
    pictures, labels, training, held_out = make_data(torch)
    model = make_model(torch.nn)
    print(model)

    steps = args.epochs * -(-len(training) // BATCH_SIZE)
    run = train(torch, model, pictures, labels, training, args.epochs)
    losses = list(tqdm(run, total=steps, desc=f"training in {framework}", unit="step"))
    print(f"\nloss at the first {SHOWN_LOSSES} of {steps} steps")
    for start in range(0, SHOWN_LOSSES, 10):
        print("  ".join(f"{loss:.5f}" for loss in losses[start : start + 10]))

    counts = count_confusions(torch, model, pictures[held_out], labels[held_out])
    print_confusions(counts)
    path = f"digits_cnn_{framework}.png"
    save_picture(losses, counts, path)
    print(f"\nthe loss curve and the confusions: {path}")
    right = sum(counts[digit][digit] for digit in range(10))
    print(f"{right} of {len(held_out)} held-out digits read correctly: {right / len(held_out):.1%}")


if __name__ == "__main__":
    main()
