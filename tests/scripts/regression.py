"""Regression: a polynomial's weights found by least squares, then a small network on noisy data in batches."""

import argparse
from itertools import count

import torch
import torch.nn.functional as F
import torch.utils.data as Data
from torch import nn
from torch.autograd import Variable

DEGREE = 4


def make_features(x):
    """The columns x, x^2, x^3, x^4."""
    x = x.unsqueeze(1)
    return torch.cat([x**i for i in range(1, DEGREE + 1)], 1)


def describe(weights, bias):
    terms = [f"{w:+.2f} x^{i + 1}" for i, w in enumerate(weights)]
    return "y = " + " ".join(terms) + f" {bias.item():+.2f}"


class Net(nn.Module):
    def __init__(self, n_feature, n_hidden, n_output):
        super(Net, self).__init__()
        self.hidden = torch.nn.Linear(n_feature, n_hidden)
        self.predict = torch.nn.Linear(n_hidden, n_output)

    def forward(self, x):
        return self.predict(F.relu(self.hidden(x)))


def polynomial():
    w_target, b_target = torch.randn(DEGREE, 1) * 5, torch.randn(1) * 5
    fc = torch.nn.Linear(w_target.size(0), 1)
    for batch_idx in count(1):
        x = make_features(torch.randn(32))
        y = x.mm(w_target) + b_target.item()
        fc.zero_grad()
        output = F.smooth_l1_loss(fc(x), y)
        loss = output.item()
        output.backward()
        for param in fc.parameters():
            param.data.add_(-0.1 * param.grad)
        print(batch_idx, f"{loss:.8g}")
        if loss < 1e-3 or batch_idx == 20:
            break
    print(describe(fc.weight.view(-1), fc.bias))
    print(describe(w_target.view(-1), b_target))


def optimizers(args):
    x = torch.unsqueeze(torch.linspace(-1, 1, 200), dim=1)
    y = x.pow(2) + 0.1 * torch.normal(torch.zeros(*x.size()))
    dataset = Data.TensorDataset(x, y)
    train, test = Data.random_split(dataset, [160, 40], generator=torch.Generator().manual_seed(args.seed))
    loader = Data.DataLoader(dataset=train, batch_size=args.batch_size, shuffle=True, num_workers=0)
    nets = [Net(1, 20, 1) for _ in range(4)]
    opts = [
        torch.optim.SGD(nets[0].parameters(), lr=args.lr),
        torch.optim.SGD(nets[1].parameters(), lr=args.lr, momentum=0.8),
        torch.optim.RMSprop(nets[2].parameters(), lr=args.lr, alpha=0.9),
        torch.optim.Adam(nets[3].parameters(), lr=args.lr, betas=(0.9, 0.99)),
    ]
    loss_func = torch.nn.MSELoss()
    for epoch in range(args.epochs):
        for step, (batch_x, batch_y) in enumerate(loader):
            b_x, b_y = Variable(batch_x), Variable(batch_y)
            for net, opt in zip(nets, opts):
                loss = loss_func(net(b_x), b_y)
                opt.zero_grad()
                loss.backward()
                opt.step()
                print(f"{epoch * len(loader) + step} {loss.data.numpy():.8g}")
    with torch.inference_mode():
        held_out, wanted = zip(*test)
        print([round(loss_func(net(torch.stack(held_out)), torch.stack(wanted)).item(), 4) for net in nets])
    print(nets[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=32, metavar="N")
    parser.add_argument("--epochs", type=int, default=4, metavar="N")
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    polynomial()
    optimizers(args)
