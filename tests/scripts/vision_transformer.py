"""A vision transformer: patches, a class token, position embeddings, mixup and a learning rate that warms up."""

import math

import torch
import torch.nn as nn
from torch.optim.lr_scheduler import LambdaLR, LinearLR, SequentialLR

torch.manual_seed(14)


class PatchExtractor(nn.Module):
    """N C H W to N P C*p*p by unfold."""

    def __init__(self, patch_size):
        super().__init__()
        self.patch_size = patch_size

    def forward(self, x):
        batch_size, channels, height, width = x.size()
        assert height % self.patch_size == 0 and width % self.patch_size == 0
        x = x.unfold(2, self.patch_size, self.patch_size).unfold(3, self.patch_size, self.patch_size)
        count = (height // self.patch_size) * (width // self.patch_size)
        return x.permute(0, 2, 3, 1, 4, 5).contiguous().view(batch_size, count, -1)


class Attention(nn.Module):
    def __init__(self, dim, heads, dropout):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.to_qkv = nn.Linear(dim, dim * 3, bias=False)
        self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(dropout))

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.to_qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        dots = torch.einsum("bhid,bhjd->bhij", q, k) * self.scale
        out = torch.einsum("bhij,bhjd->bhid", dots.softmax(dim=-1), v)
        return self.to_out(out.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, dim, heads, hidden, dropout):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, dropout)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self, size=16, patch=4, dim=32, heads=4, layers=2, classes=4, by_conv=False):
        super().__init__()
        self.by_conv = by_conv
        self.patches = nn.Conv2d(3, dim, patch, patch) if by_conv else PatchExtractor(patch)
        self.embed = nn.Identity() if by_conv else nn.Linear(3 * patch * patch, dim)
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.pos_embedding = nn.Parameter(torch.empty(1, (size // patch) ** 2 + 1, dim))
        nn.init.trunc_normal_(self.pos_embedding, std=0.02)
        if by_conv:
            layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, 0.1, "gelu", batch_first=True, norm_first=True)
            self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        else:
            self.layers = nn.Sequential(*[Layer(dim, heads, 2 * dim, 0.1) for _ in range(layers)])
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, classes))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2) if self.by_conv else self.embed(self.patches(x))
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1) + self.pos_embedding
        return self.head(self.layers(x)[:, 0])


def pictures(n):
    """The class says which quarter is bright."""
    labels = torch.randint(0, 4, (n,))
    images = 0.3 * torch.randn(n, 3, 16, 16)
    for image, label in zip(images, labels):
        row, column = divmod(int(label), 2)
        image[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 1
    return images, labels


def mixup(x, y, lam):
    index = torch.randperm(x.size(0))
    return lam * x + (1 - lam) * x[index], y, y[index]


for by_conv in (False, True):
    model = ViT(by_conv=by_conv)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    warmup = LinearLR(optimizer, start_factor=0.1, total_iters=5)
    cosine = LambdaLR(optimizer, lambda s: 0.5 * (1 + math.cos(math.pi * s / 15)))
    scheduler = SequentialLR(optimizer, [warmup, cosine], milestones=[5])
    criterion = nn.CrossEntropyLoss()
    x, y = pictures(64)
    for step in range(20):
        batch = torch.randint(0, 64, (16,))
        mixed, y_a, y_b = mixup(x[batch], y[batch], 0.8)
        output = model(mixed)
        loss = 0.8 * criterion(output, y_a) + 0.2 * criterion(output, y_b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        print(f"{step} {loss.item():.8g}")
    model.eval()
    with torch.no_grad():
        print(f"lr {scheduler.get_last_lr()[0]:.6f} right {(model(x).argmax(-1) == y).sum().item()}")
