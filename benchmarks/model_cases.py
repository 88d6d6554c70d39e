"""Training steps of the models that tutorials begin with, each written once against a namespace.

`SECTIONS` as in `array_cases`. Without dropout: on some processors PyTorch draws it from another stream than its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.array_cases import Maker, Step


def trained(optimizer: Any, loss: Callable[[], Any]) -> Step:
    def step():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value

    return step


# ---------------------------------------------------------------- attention
def gpt(T: Any) -> Step:
    """Two blocks of four heads over 64 characters of 65, 16 texts at a time."""
    nn, F = T.nn, T.nn.functional
    width, heads, length, characters = 64, 4, 64, 65

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x):
            parts = self.qkv(self.before(x)).split(width, dim=2)
            q, k, v = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in parts)
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.joined(seen.transpose(1, 2).flatten(2))
            return x + self.mlp(self.between(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.characters, self.places = nn.Embedding(characters, width), nn.Embedding(length, width)
            self.blocks = nn.Sequential(Block(), Block(), nn.LayerNorm(width))
            self.out = nn.Linear(width, characters, bias=False)

        def forward(self, text):
            return self.out(self.blocks(self.characters(text) + self.places.weight))

    model = GPT()
    text, following = (T.randint(0, characters, (16, length)) for _ in range(2))
    optimizer = T.optim.AdamW(model.parameters(), lr=1e-3)
    return trained(optimizer, lambda: F.cross_entropy(model(text).flatten(0, 1), following.flatten()))


def encoder(T: Any) -> Step:
    layer = T.nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    model, x = T.nn.TransformerEncoder(layer, 2), T.randn(16, 32, 64)
    return trained(T.optim.Adam(model.parameters()), lambda: model(x).square().mean())


# ---------------------------------------------------------------- images
def lenet(T: Any) -> Step:
    nn = T.nn
    model = nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    x, y = T.randn(4, 3, 32, 32), T.randint(0, 10, (4,))
    optimizer = T.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    return trained(optimizer, lambda: nn.functional.cross_entropy(model(x), y))


def two_convolutions(T: Any) -> Step:
    """The network of PyTorch's MNIST example, with its optimizer."""
    nn = T.nn
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10), nn.LogSoftmax(1),
    )  # fmt: skip
    x, y = T.randn(64, 1, 28, 28), T.randint(0, 10, (64,))
    return trained(T.optim.Adadelta(model.parameters()), lambda: nn.functional.nll_loss(model(x), y))


def inverted_residuals(T: Any) -> Step:
    nn = T.nn

    def normed(*convolution, groups=1):
        return nn.Conv2d(*convolution, groups=groups, bias=False), nn.BatchNorm2d(convolution[1])

    def block(inputs, outputs, stride):
        wide = 4 * inputs
        by_channel = normed(wide, wide, 3, stride, 1, groups=wide)
        return nn.Sequential(*normed(inputs, wide, 1), nn.ReLU6(), *by_channel, nn.ReLU6(), *normed(wide, outputs, 1))

    model = nn.Sequential(
        *normed(3, 16, 3, 2, 1), nn.ReLU6(), block(16, 24, 1), block(24, 32, 2), block(32, 32, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    x, y = T.randn(16, 3, 64, 64), T.randint(0, 10, (16,))
    optimizer = T.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    return trained(optimizer, lambda: nn.functional.cross_entropy(model(x), y))


def unet(T: Any) -> Step:
    nn, F = T.nn, T.nn.functional

    def twice(inputs, outputs):
        layers = (
            (nn.Conv2d(n, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(True)) for n in (inputs, outputs)
        )
        return nn.Sequential(*(layer for one in layers for layer in one))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.large, self.middle, self.small = twice(1, 16), twice(16, 32), twice(32, 64)
            self.up, self.up_again = nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)
            self.joined, self.out = twice(64, 32), nn.Sequential(twice(32, 16), nn.Conv2d(16, 1, 1))

        def forward(self, x):
            large = self.large(x)
            middle = self.middle(F.max_pool2d(large, 2))
            up = self.up(self.small(F.max_pool2d(middle, 2)))
            up = self.up_again(self.joined(T.cat([up, middle], 1)))
            return self.out(T.cat([up, large], 1))

    model, x = UNet(), T.randn(4, 1, 64, 64)
    mask = (T.rand(4, 1, 64, 64) > 0.5).float()
    return trained(T.optim.Adam(model.parameters()), lambda: F.binary_cross_entropy_with_logits(model(x), mask))


# ---------------------------------------------------------------- generators
def dcgan(T: Any) -> Step:
    """A step of the discriminator and one of the generator, 32 images of 32 x 32."""
    nn = T.nn

    def up(*convolution):
        return nn.ConvTranspose2d(*convolution, bias=False), nn.BatchNorm2d(convolution[1]), nn.ReLU(True)

    def down(*convolution):
        return nn.Conv2d(*convolution, bias=False), nn.BatchNorm2d(convolution[1]), nn.LeakyReLU(0.2, True)

    generator = nn.Sequential(
        *up(64, 128, 4, 1, 0),
        *up(128, 64, 4, 2, 1),
        *up(64, 32, 4, 2, 1),
        nn.ConvTranspose2d(32, 1, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2, True), *down(32, 64, 4, 2, 1), *down(64, 128, 4, 2, 1),
        nn.Conv2d(128, 1, 4, 1, 0), nn.Sigmoid(), nn.Flatten(0),
    )  # fmt: skip
    of_generator, of_discriminator = (
        T.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999)) for model in (generator, discriminator)
    )
    images, noise, yes, no = T.randn(32, 1, 32, 32), T.randn(32, 64, 1, 1), T.ones(32), T.zeros(32)
    loss = nn.BCELoss()

    def step():
        of_discriminator.zero_grad()
        loss(discriminator(images), yes).backward()
        made = generator(noise)
        loss(discriminator(made.detach()), no).backward()
        of_discriminator.step()
        of_generator.zero_grad()
        value = loss(discriminator(made), yes)
        value.backward()
        of_generator.step()
        return value

    return step


def vae(T: Any) -> Step:
    nn, F = T.nn, T.nn.functional
    encode, mean, log_variance = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
    decode = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Sigmoid())
    x = T.rand(128, 784)

    def loss():
        hidden = F.relu(encode(x))
        mu, log_var = mean(hidden), log_variance(hidden)
        drawn = mu + T.randn_like(mu) * T.exp(0.5 * log_var)
        distance = -0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).sum()
        return F.binary_cross_entropy(decode(drawn), x, reduction="sum") + distance

    return trained(T.optim.Adam(nn.ModuleList([encode, mean, log_variance, decode]).parameters()), loss)


# ---------------------------------------------------------------- recurrent
def character_gru(T: Any) -> Step:
    nn = T.nn
    embedding, gru, out = nn.Embedding(60, 32), nn.GRU(32, 64, 2, batch_first=True), nn.Linear(64, 60)
    text, following = (T.randint(0, 60, (32, 40)) for _ in range(2))
    optimizer = T.optim.Adam(nn.ModuleList([embedding, gru, out]).parameters())
    return trained(
        optimizer, lambda: nn.functional.cross_entropy(out(gru(embedding(text))[0]).transpose(1, 2), following)
    )


def lstm_cell(T: Any) -> Step:
    """20 steps by hand, as sequences of one's own are written."""
    nn = T.nn
    cell, out, x = nn.LSTMCell(10, 20), nn.Linear(20, 1), T.randn(20, 8, 10)

    def loss():
        h = c = x.new_zeros(8, 20)
        results = []
        for now in x:
            h, c = cell(now, (h, c))
            results.append(out(h))
        return T.stack(results).square().mean()

    return trained(T.optim.Adam(nn.ModuleList([cell, out]).parameters()), loss)


# ---------------------------------------------------------------- control, physics
def dqn(T: Any) -> Step:
    """An update of the network of PyTorch's tutorial, and of the one that it follows."""
    nn = T.nn

    def network():
        return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))

    policy, target = network(), network()
    target.load_state_dict(policy.state_dict())
    states, following, rewards, actions = T.randn(128, 4), T.randn(128, 4), T.randn(128), T.randint(0, 2, (128, 1))
    optimizer = T.optim.AdamW(policy.parameters(), lr=1e-4, amsgrad=True)

    def step():
        with T.no_grad():
            wanted = target(following).max(1).values * 0.99 + rewards
        loss = nn.functional.smooth_l1_loss(policy(states).gather(1, actions), wanted.unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(policy.parameters(), 100)
        optimizer.step()
        slow, fast = target.state_dict(), policy.state_dict()
        target.load_state_dict({name: 0.005 * fast[name] + 0.995 * slow[name] for name in fast})
        return loss

    return step


def ppo(T: Any) -> Step:
    nn = T.nn
    body = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
    actor, critic = nn.Linear(64, 4), nn.Linear(64, 1)
    states, actions = T.randn(64, 8), T.randint(0, 4, (64,))
    advantages, before = T.randn(64), 0.1 * T.randn(64) - 1.4

    def loss():
        hidden = body(states)
        choice = T.distributions.Categorical(logits=actor(hidden))
        ratio = T.exp(choice.log_prob(actions) - before)
        gain = T.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()
        error = nn.functional.mse_loss(critic(hidden).squeeze(-1), advantages)
        return 0.5 * error - gain - 0.01 * choice.entropy().mean()

    return trained(T.optim.Adam(nn.ModuleList([body, actor, critic]).parameters(), lr=3e-4), loss)


def burgers(T: Any) -> Step:
    """A network that is to solve Burgers' equation, by second derivatives with respect to its inputs."""
    nn = T.nn
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    x, t = (T.rand(256, 1).requires_grad_() for _ in range(2))

    def slope(of, by):
        return T.autograd.grad(of.sum(), by, create_graph=True)[0]

    def loss():
        u = model(T.cat([x, t], 1))
        u_x = slope(u, x)
        return (slope(u, t) + u * u_x - 0.01 * slope(u_x, x)).square().mean()

    return trained(T.optim.Adam(model.parameters()), loss)


SECTIONS: dict[str, dict[str, Maker]] = {
    "models": {
        "GPT, 2 blocks of 64, 16 x 64 characters": gpt,
        "TransformerEncoder, 2 layers of 64, 16 x 32": encoder,
        "LeNet of the CIFAR tutorial, batch 4": lenet,
        "CNN of the MNIST example, batch 64": two_convolutions,
        "inverted residuals, batch 16, 64x64": inverted_residuals,
        "U-Net, batch 4, 64x64": unet,
        "DCGAN, batch 32, 32x32": dcgan,
        "VAE 784-400-20, batch 128": vae,
        "GRU over 40 characters, batch 32": character_gru,
        "LSTMCell, 20 steps, batch 8": lstm_cell,
        "DQN, batch 128": dqn,
        "PPO, batch 64": ppo,
        "Burgers' equation, 256 points": burgers,
    }
}
