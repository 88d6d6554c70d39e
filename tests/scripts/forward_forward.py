"""Forward-forward (Hinton 2022): every layer learns alone to tell right labels from wrong ones."""

import argparse

import torch
import torch.nn as nn
from torch.optim import Adam
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import Compose, Lambda, Normalize, ToTensor


def get_y_neg(y):
    y_neg = y.clone()
    for idx, y_samp in enumerate(y):
        allowed = [i for i in range(10) if i != y_samp.item()]
        y_neg[idx] = torch.tensor(allowed)[torch.randint(len(allowed), size=(1,))].item()
    return y_neg.to(y.device)


def overlay_y_on_x(x, y, classes=10):
    """The first ten pixels become the label."""
    x_ = x.clone()
    x_[:, :classes] *= 0.0
    x_[range(x.shape[0]), y] = x.max()
    return x_


class Layer(nn.Linear):
    def __init__(self, in_features, out_features, threshold=2.0):
        super().__init__(in_features, out_features)
        self.relu = torch.nn.ReLU()
        self.opt = Adam(self.parameters(), lr=0.01)
        self.threshold = threshold

    def forward(self, x):
        x_direction = x / (x.norm(2, 1, keepdim=True) + 1e-4)
        return self.relu(torch.mm(x_direction, self.weight.T) + self.bias.unsqueeze(0))

    def train_step(self, x_pos, x_neg):
        g_pos = self.forward(x_pos).pow(2).mean(1)
        g_neg = self.forward(x_neg).pow(2).mean(1)
        loss = torch.log(1 + torch.exp(torch.cat([-g_pos + self.threshold, g_neg - self.threshold]))).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return self.forward(x_pos).detach(), self.forward(x_neg).detach(), loss.item()


class Net(torch.nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.layers = nn.ModuleList(Layer(i, o) for i, o in zip(dims, dims[1:]))

    @torch.no_grad()
    def predict(self, x):
        goodness_per_label = []
        for label in range(10):
            h, goodness = overlay_y_on_x(x, torch.full((len(x),), label)), []
            for layer in self.layers:
                h = layer(h)
                goodness = goodness + [h.pow(2).mean(1)]
            goodness_per_label += [sum(goodness).unsqueeze(1)]
        return torch.cat(goodness_per_label, 1).argmax(1)

    def train_step(self, x_pos, x_neg):
        h_pos, h_neg, losses = x_pos, x_neg, []
        for layer in self.layers:
            h_pos, h_neg, loss = layer.train_step(h_pos, h_neg)
            losses.append(loss)
        return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="./data")
    args = parser.parse_args()
    torch.manual_seed(17)
    transform = Compose([ToTensor(), Normalize((0.1307,), (0.3081,)), Lambda(lambda x: torch.flatten(x))])
    loader = DataLoader(MNIST(args.data, train=True, download=True, transform=transform), batch_size=100, shuffle=True)
    test_loader = DataLoader(MNIST(args.data, train=False, transform=transform), batch_size=100, shuffle=False)
    net = Net([784, 64, 64])
    step = 0
    for _ in range(10):
        for x, y in loader:
            losses = net.train_step(overlay_y_on_x(x, y), overlay_y_on_x(x, get_y_neg(y)))
            print("\n".join(f"{step} {loss:.8g}" for loss in losses))
            step += 1
    x_te, y_te = next(iter(test_loader))
    print(f"test error: {1.0 - net.predict(x_te).eq(y_te).float().mean().item():.2f}")
