"""Super-resolution (Shi et al. 2016) on pictures read with Pillow: --data names a folder of them."""

import argparse
from math import log10
from os import listdir
from os.path import join

import numpy as np
import torch
import torch.nn as nn
import torch.nn.init as init
import torch.optim as optim
import torch.utils.data as data
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize, ToTensor
from torchvision.utils import make_grid, save_image


def load_img(filepath):
    y, _, _ = Image.open(filepath).convert("YCbCr").split()
    return y


class DatasetFromFolder(data.Dataset):
    def __init__(self, image_dir, crop_size, upscale_factor):
        super().__init__()
        names = sorted(name for name in listdir(image_dir) if name.endswith((".png", ".jpg")))
        self.image_filenames = [join(image_dir, name) for name in names]
        crop_size -= crop_size % upscale_factor
        self.input_transform = Compose([CenterCrop(crop_size), Resize(crop_size // upscale_factor), ToTensor()])
        self.target_transform = Compose([CenterCrop(crop_size), ToTensor()])

    def __getitem__(self, index):
        input = load_img(self.image_filenames[index])
        return self.input_transform(input), self.target_transform(input.copy())

    def __len__(self):
        return len(self.image_filenames)


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 16, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(16, 8, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(8, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight)

    def forward(self, x):
        return self.pixel_shuffle(self.conv3(self.relu(self.conv2(self.relu(self.conv1(x))))))


def main():
    parser = argparse.ArgumentParser(description="Super resolution")
    parser.add_argument("--data", required=True)
    parser.add_argument("--upscale_factor", type=int, default=2)
    parser.add_argument("--nEpochs", type=int, default=5)
    parser.add_argument("--out", default=None, help="where the upscaled picture goes")
    opt = parser.parse_args()
    torch.manual_seed(123)
    train_set = DatasetFromFolder(opt.data, 33, opt.upscale_factor)
    training_data_loader = data.DataLoader(dataset=train_set, batch_size=4, shuffle=True)
    model = Net(opt.upscale_factor)
    criterion = nn.MSELoss()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(opt.nEpochs):
        epoch_loss = 0
        for iteration, (input, target) in enumerate(training_data_loader):
            optimizer.zero_grad()
            loss = criterion(model(input), target)
            epoch_loss += loss.item()
            loss.backward()
            optimizer.step()
            print(f"{epoch * len(training_data_loader) + iteration} {loss.item():.8g}")
    mse = criterion(model(input), target)
    bicubic = nn.functional.interpolate(input, scale_factor=opt.upscale_factor, mode="bicubic", align_corners=False)
    print(
        f"===> PSNR: {10 * log10(1 / mse.item()):.4f} dB, bicubic {10 * log10(1 / criterion(bicubic, target)):.4f} dB"
    )

    with Image.open(train_set.image_filenames[0]) as img:
        y, cb, cr = img.convert("YCbCr").split()
    out = model(ToTensor()(y).view(1, -1, y.size[1], y.size[0]))
    out_img_y = Image.fromarray(np.uint8((out[0].detach().numpy()[0] * 255.0).clip(0, 255)))
    bigger = [c.resize(out_img_y.size, Image.BICUBIC) for c in (cb, cr)]
    out_img = Image.merge("YCbCr", [out_img_y, *bigger]).convert("RGB")
    grid = make_grid(torch.cat([input, nn.functional.avg_pool2d(target, 2)]), nrow=2, normalize=True)
    print(out_img.size, grid.shape, f"{grid.mean():.4f}")
    if opt.out:
        out_img.save(opt.out)
        save_image(grid, opt.out + ".png")


if __name__ == "__main__":
    main()
