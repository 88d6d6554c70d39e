"""Sine waves foretold: two LSTM cells learn with LBFGS, then go on from their own output."""

import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim


class Sequence(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.hidden = hidden
        self.lstm1 = nn.LSTMCell(1, hidden)
        self.lstm2 = nn.LSTMCell(hidden, hidden)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t, c_t, h_t2, c_t2 = (torch.zeros(input.size(0), self.hidden, dtype=input.dtype) for _ in range(4))
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        for _ in range(future):
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        return torch.cat(outputs, dim=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5, help="steps to run")
    opt = parser.parse_args()
    np.random.seed(2)
    torch.manual_seed(0)
    data = np.sin((np.arange(24) + np.random.randint(-16, 16, (8, 1))) / 4.0).astype("float64")
    input, target = torch.from_numpy(data[2:, :-1]), torch.from_numpy(data[2:, 1:])
    test_input, test_target = torch.from_numpy(data[:2, :-1]), torch.from_numpy(data[:2, 1:])
    seq = Sequence().double()
    criterion = nn.MSELoss()
    optimizer = optim.LBFGS(seq.parameters(), lr=0.8, max_iter=5)
    step = 0

    def closure():
        global step
        optimizer.zero_grad()
        loss = criterion(seq(input), target)
        print(f"{step} {loss.item():.8g}")
        step += 1
        loss.backward()
        return loss

    for i in range(opt.steps):
        print("STEP: ", i)
        optimizer.step(closure)
        with torch.no_grad():
            pred = seq(test_input, future=10)
            print(f"test loss: {criterion(pred[:, :-10], test_target).item():.6f}")
    y = pred.detach().numpy()
    print(y.shape, y[0, -3:].round(4))
    seq.float()
    print(seq(input.float()).dtype, torch.get_default_dtype())
