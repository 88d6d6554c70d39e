"""Actor and critic with one body, in discrete and in continuous actions."""

from collections import namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical, Normal, kl_divergence

SavedAction = namedtuple("SavedAction", ["log_prob", "value", "entropy"])


class Target:
    """Walk to the origin of a plane: a step along an axis, or any small step."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        self.at = self.rng.normal(size=2)
        return self.at.copy()

    def step(self, move):
        self.at = self.at + 0.3 * np.asarray(move)
        return self.at.copy(), -float(np.linalg.norm(self.at)), bool(np.linalg.norm(self.at) < 0.3)


class Policy(nn.Module):
    def __init__(self, continuous):
        super().__init__()
        self.continuous = continuous
        self.affine1 = nn.Linear(2, 32)
        self.action_head = nn.Linear(32, 2 if continuous else 4)
        self.value_head = nn.Linear(32, 1)
        self.log_std = nn.Parameter(torch.full((2,), -0.5))
        self.saved_actions, self.rewards = [], []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        head = self.action_head(x)
        dist = Normal(head, self.log_std.exp()) if self.continuous else Categorical(probs=F.softmax(head, dim=-1))
        return dist, self.value_head(x)


def select_action(model, state):
    dist, state_value = model(torch.from_numpy(state).float())
    action = dist.sample()
    log_prob, entropy = dist.log_prob(action), dist.entropy()
    if model.continuous:
        log_prob, entropy = log_prob.sum(-1), entropy.sum(-1)
    model.saved_actions.append(SavedAction(log_prob, state_value, entropy))
    if model.continuous:
        return action.clamp(-1, 1).tolist()
    return [(1, 0), (-1, 0), (0, 1), (0, -1)][action.item()]


def finish_episode(model, optimizer):
    R, policy_losses, value_losses, returns = 0, [], [], []
    for r in model.rewards[::-1]:
        R = r + 0.95 * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + np.finfo(np.float32).eps.item())
    for (log_prob, value, _), R in zip(model.saved_actions, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
    entropy = torch.stack([saved.entropy for saved in model.saved_actions]).mean()
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum() - 0.01 * entropy
    loss.backward()
    optimizer.step()
    model.rewards.clear()
    model.saved_actions.clear()
    return loss.item()


def main(continuous):
    torch.manual_seed(10)
    env, model = Target(10), Policy(continuous)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    for i_episode in range(20):
        state = env.reset()
        for _ in range(25):
            state, reward, done = env.step(select_action(model, state))
            model.rewards.append(reward)
            if done and len(model.rewards) > 1:
                break
        print(f"{i_episode} {finish_episode(model, optimizer):.8g}")
    with torch.no_grad():
        before, _ = model(torch.zeros(2))
        after, value = model(torch.ones(2))
        print(f"{value.item():.4f} {kl_divergence(before, after).sum().item():.4f}", before.sample((3,)).shape)


if __name__ == "__main__":
    for continuous in (False, True):
        main(continuous)
