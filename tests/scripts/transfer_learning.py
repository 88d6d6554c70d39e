"""Transfer learning: a ResNet's last layer replaced and trained on two folders of pictures, the rest frozen."""

import argparse
import os
import tempfile
import time

import torch
import torch.nn as nn
import torch.optim as optim
import torchvision
from torch.optim import lr_scheduler
from torchvision import datasets, models, transforms

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True, help="a folder with train/ and val/, each with a folder per class")
data_dir = parser.parse_args().data
torch.manual_seed(18)

data_transforms = {
    "train": transforms.Compose(
        [
            transforms.RandomResizedCrop(32),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    ),
    "val": transforms.Compose(
        [
            transforms.Resize(36),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    ),
}
image_datasets = {x: datasets.ImageFolder(os.path.join(data_dir, x), data_transforms[x]) for x in ["train", "val"]}
dataloaders = {
    x: torch.utils.data.DataLoader(image_datasets[x], batch_size=4, shuffle=x == "train") for x in ["train", "val"]
}
dataset_sizes = {x: len(image_datasets[x]) for x in ["train", "val"]}
class_names = image_datasets["train"].classes
device = "cpu"
print(dataset_sizes, class_names, image_datasets["train"].class_to_idx)


def train_model(model, criterion, optimizer, scheduler, num_epochs=3):
    since, steps = time.time(), 0
    with tempfile.TemporaryDirectory() as tempdir:
        best_model_params_path = os.path.join(tempdir, "best_model_params.pt")
        torch.save(model.state_dict(), best_model_params_path)
        best_acc = 0.0
        for _ in range(num_epochs):
            for phase in ["train", "val"]:
                model.train(phase == "train")
                running_loss = running_corrects = 0.0
                for inputs, labels in dataloaders[phase]:
                    optimizer.zero_grad()
                    with torch.set_grad_enabled(phase == "train"):
                        outputs = model(inputs.to(device))
                        _, preds = torch.max(outputs, 1)
                        loss = criterion(outputs, labels)
                        if phase == "train":
                            loss.backward()
                            optimizer.step()
                            print(f"{steps} {loss.item():.8g}")
                            steps += 1
                    running_loss += loss.item() * inputs.size(0)
                    running_corrects += torch.sum(preds == labels.data)
                if phase == "train":
                    scheduler.step()
                epoch_acc = running_corrects.double() / dataset_sizes[phase]
                print(f"{phase} Loss: {running_loss / dataset_sizes[phase]:.4f} Acc: {epoch_acc:.4f}")
                if phase == "val" and epoch_acc > best_acc:
                    best_acc = epoch_acc
                    torch.save(model.state_dict(), best_model_params_path)
        model.load_state_dict(torch.load(best_model_params_path, weights_only=True))
    assert time.time() > since
    return model


# Weights are not downloaded: what counts is that a state_dict with torchvision's names goes in.
pretrained = models.resnet18(weights=None)
model_conv = torchvision.models.resnet18()
print(model_conv.load_state_dict(pretrained.state_dict()))
for param in model_conv.parameters():
    param.requires_grad = False
num_ftrs = model_conv.fc.in_features
model_conv.fc = nn.Linear(num_ftrs, len(class_names))
model_conv = model_conv.to(device)
criterion = nn.CrossEntropyLoss()
optimizer_conv = optim.SGD(model_conv.fc.parameters(), lr=0.01, momentum=0.9)
exp_lr_scheduler = lr_scheduler.StepLR(optimizer_conv, step_size=1, gamma=0.1)
model_conv = train_model(model_conv, criterion, optimizer_conv, exp_lr_scheduler)
print(sum(p.requires_grad for p in model_conv.parameters()), len(model_conv.state_dict()))

# Features of the frozen body, and the whole network trained for some steps.
features = nn.Sequential(*list(model_conv.children())[:-1]).eval()
inputs, classes = next(iter(dataloaders["val"]))
with torch.no_grad():
    print(features(inputs).flatten(1).shape, torchvision.utils.make_grid(inputs).shape)
for param in model_conv.parameters():
    param.requires_grad_(True)
optimizer = optim.SGD(model_conv.parameters(), lr=1e-5)
for step in range(6):
    optimizer.zero_grad()
    loss = criterion(model_conv(inputs), classes)
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.8g}")
