"""A siamese network: are two of MNIST's digits the same? And three at once, by the triplet loss."""

import argparse
import random

import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(3)
        )
        self.fc = nn.Sequential(nn.Linear(2 * 72, 32), nn.ReLU(inplace=True), nn.Linear(32, 1))
        self.sigmoid = nn.Sigmoid()
        self.body.apply(self.init_weights)
        self.fc.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward_once(self, x):
        output = self.body(x)
        return output.view(output.size()[0], -1)

    def forward(self, input1, input2):
        both = torch.cat((self.forward_once(input1), self.forward_once(input2)), 1)
        return self.sigmoid(self.fc(both))


class Pairs(Dataset):
    """Every other pair shows the same digit."""

    def __init__(self, root):
        self.dataset = datasets.MNIST(root, train=True, download=True)
        self.data = self.dataset.data.unsqueeze(1).clone()
        self.examples = {i: (self.dataset.targets == i).nonzero().flatten() for i in range(10)}

    def __len__(self):
        return self.data.shape[0]

    def __getitem__(self, index):
        chosen = random.randint(0, 9)
        same = index % 2 == 0
        other = chosen if same else random.choice([i for i in range(10) if i != chosen])
        first, second = (self.data[random.choice(self.examples[c].tolist())].float() for c in (chosen, other))
        return first / 255, second / 255, torch.tensor(float(same))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="./data")
    args = parser.parse_args()
    torch.manual_seed(16)
    random.seed(16)
    loader = DataLoader(Pairs(args.data), batch_size=20, shuffle=True)
    model = Siamese()
    optimizer = optim.Adadelta(model.parameters(), lr=1.0)
    criterion = nn.BCELoss()
    model.train()
    for step, (one, two, targets) in zip(range(20), (batch for _ in range(2) for batch in loader)):
        optimizer.zero_grad()
        outputs = model(one, two).squeeze()
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        right = torch.where(outputs > 0.5, 1, 0).eq(targets.view_as(outputs)).sum().item()
        print(f"{step} {loss.item():.8g}\nright: {right}")

    dataset = datasets.MNIST(args.data, transform=transforms.ToTensor(), target_transform=lambda t: t % 2)
    images, labels = next(iter(DataLoader(dataset, batch_size=60)))
    embed = nn.Sequential(nn.Flatten(), nn.Linear(784, 16))
    optimizer = optim.SGD(embed.parameters(), lr=0.001, momentum=0.9, nesterov=True)
    triplet, contrast = nn.TripletMarginLoss(margin=1.0), nn.CosineEmbeddingLoss(margin=0.2)
    for step in range(20):
        anchors, others = embed(images[labels == 0][:20]), embed(images[labels == 1][:20])
        loss = triplet(anchors, anchors.roll(1, 0), others) + contrast(anchors, others, -torch.ones(len(anchors)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"{step} {loss.item():.8g}")
    print(f"{nn.functional.pairwise_distance(anchors, others).mean().item():.4f}", torch.cdist(anchors, others).shape)


if __name__ == "__main__":
    main()
