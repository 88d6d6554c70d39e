"""Classification: three noisy clouds told apart, with everything that belongs to a training run around it."""

import argparse
import copy
import os
import tempfile

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, OneCycleLR, ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, Dataset, Subset, WeightedRandomSampler
from torch.utils.tensorboard import SummaryWriter


class Clouds(Dataset):
    """Points around three centres."""

    def __init__(self, n, noise=1.0, transform=None):
        self.labels = torch.arange(n) % 3
        centres = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
        self.points = centres[self.labels] + noise * torch.randn(n, 2)
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        point, label = self.points[index], int(self.labels[index])
        if self.transform is not None:
            point = self.transform(point)
        return {"point": point, "label": label}


class Classifier(nn.Module):
    def __init__(self, hidden=32, p=0.2):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, hidden), nn.Linear(hidden, hidden)])
        self.norm = nn.BatchNorm1d(hidden)
        self.drop = nn.Dropout(p)
        self.head = nn.Linear(hidden, 3)
        self.register_buffer("seen", torch.zeros(1, dtype=torch.long))
        self.apply(self.init)

    @staticmethod
    def init(m):
        if isinstance(m, nn.Linear):
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
            nn.init.constant_(m.bias, 0.01)

    def forward(self, x):
        self.seen += len(x)
        x = torch.relu(self.layers[0](x))
        x = self.drop(self.norm(self.layers[1](x)).tanh())
        return self.head(x)


def accuracy(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for batch in loader:
            _, predicted = torch.max(model(batch["point"]), 1)
            right += (predicted == batch["label"]).sum().item()
            total += batch["label"].size(0)
    model.train()
    return 100.0 * right / total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--no-cuda", action="store_true", default=False)
    args = parser.parse_args()
    torch.manual_seed(3)
    use_cuda = not args.no_cuda and torch.cuda.is_available()
    device = torch.device("cuda" if use_cuda else "cpu")

    train = Clouds(160, transform=lambda p: p + 0.01 * torch.randn(2))
    test = Clouds(60)
    sampler = WeightedRandomSampler(torch.ones(len(train)), num_samples=len(train), replacement=True)
    loader = DataLoader(train, batch_size=32, sampler=sampler, drop_last=True)
    test_loader = DataLoader(Subset(test, range(0, 60, 2)), batch_size=30)

    model = Classifier().to(device)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05, weight=torch.tensor([1.0, 1.5, 0.8]))
    optimizer = optim.AdamW(
        [
            {"params": model.layers.parameters()},
            {"params": [*model.norm.parameters(), *model.head.parameters()], "lr": args.lr / 2, "weight_decay": 0.0},
        ],
        lr=args.lr,
        weight_decay=1e-2,
    )
    schedules = [
        StepLR(optimizer, step_size=5, gamma=0.8),
        ExponentialLR(optimizer, 0.99),
        CosineAnnealingLR(optimizer, T_max=20),
    ]
    seen = {}
    handle = model.norm.register_forward_hook(lambda m, i, o: seen.update(norm=o.detach().std().item()))
    model.head.register_full_backward_hook(lambda m, gi, go: seen.update(grad=go[0].norm().item()))

    step, best = 0, None
    with tempfile.TemporaryDirectory() as folder, SummaryWriter(log_dir=folder) as writer:
        for epoch in range(args.epochs):
            for batch in loader:
                point, label = batch["point"].to(device), batch["label"].to(device)
                optimizer.zero_grad(set_to_none=True)
                loss = criterion(model(point), label)
                loss.backward()
                norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
                optimizer.step()
                for schedule in schedules:
                    schedule.step()
                print(f"{step} {loss.item():.8g}")
                writer.add_scalar("train/loss", loss.item(), step)
                step += 1
            print(f"epoch {epoch}: norm {norm:.3f} seen {seen['norm']:.3f} {seen['grad']:.4f}")
            writer.add_histogram("head", model.head.weight, epoch)
            print([f"{group['lr']:.6f}" for group in optimizer.param_groups], schedules[0].get_last_lr()[0] > 0)
            best = copy.deepcopy(model.state_dict())
            path = os.path.join(folder, "checkpoint.pth")
            torch.save({"epoch": epoch, "model": best, "optimizer": optimizer.state_dict(), "loss": loss}, path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    handle.remove()
    again = Classifier()
    print(again.load_state_dict(checkpoint["model"]))
    restored = optim.AdamW(
        [{"params": again.layers.parameters()}, {"params": [*again.norm.parameters(), *again.head.parameters()]}]
    )
    restored.load_state_dict(checkpoint["optimizer"])
    print(checkpoint["epoch"], again.seen.item(), restored.param_groups[0]["weight_decay"])
    print(f"accuracy {accuracy(again, test_loader):.1f}", sum(p.numel() for p in again.parameters() if p.requires_grad))
    plateau = ReduceLROnPlateau(restored, "min", patience=1)
    for value in (1.0, 1.0, 1.0, 1.0):
        plateau.step(value)
    cycle = OneCycleLR(optim.SGD(again.parameters(), lr=0.1), max_lr=0.5, total_steps=10)
    print(f"{restored.param_groups[0]['lr']:.3e} {cycle.get_last_lr()[0]:.4f}")


if __name__ == "__main__":
    main()
