"""Language models of words: LSTM, GRU, tanh RNN with truncated backpropagation, and a Transformer's encoder."""

import argparse
import io
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

TEXT = (
    """the cat sat on the mat and the dog sat on the log
the dog and the cat ran to the barn and the cow ran to the hay
a cow sat on a mat and a hen sat on a log in the barn <eos>
"""
    * 8
)


class Dictionary:
    def __init__(self):
        self.word2idx, self.idx2word = {}, []

    def add_word(self, word):
        if word not in self.word2idx:
            self.idx2word.append(word)
            self.word2idx[word] = len(self.idx2word) - 1
        return self.word2idx[word]

    def __len__(self):
        return len(self.idx2word)


class RNNModel(nn.Module):
    def __init__(self, rnn_type, ntoken, ninp, nhid, nlayers, dropout=0.2, tie_weights=False):
        super().__init__()
        self.ntoken, self.rnn_type, self.nhid, self.nlayers = ntoken, rnn_type, nhid, nlayers
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        if rnn_type in ("LSTM", "GRU"):
            self.rnn = getattr(nn, rnn_type)(ninp, nhid, nlayers, dropout=dropout)
        else:
            self.rnn = nn.RNN(ninp, nhid, nlayers, nonlinearity="tanh", dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden):
        output, hidden = self.rnn(self.drop(self.encoder(input)), hidden)
        decoded = self.decoder(self.drop(output)).view(-1, self.ntoken)
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        zeros = weight.new_zeros(self.nlayers, bsz, self.nhid)
        return (zeros, weight.new_zeros(self.nlayers, bsz, self.nhid)) if self.rnn_type == "LSTM" else zeros


class PositionalEncoding(nn.Module):
    """Sines and cosines (Vaswani et al. 2017)."""

    def __init__(self, d_model, dropout=0.1, max_len=200):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        pe = torch.zeros(max_len, d_model)
        position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe.unsqueeze(0).transpose(0, 1))

    def forward(self, x):
        return self.dropout(x + self.pe[: x.size(0), :])


class TransformerModel(nn.Transformer):
    def __init__(self, ntoken, ninp, nhead, nhid, nlayers, dropout=0.1):
        super().__init__(d_model=ninp, nhead=nhead, dim_feedforward=nhid, num_encoder_layers=nlayers)
        self.pos_encoder = PositionalEncoding(ninp, dropout)
        self.input_emb = nn.Embedding(ntoken, ninp)
        self.ninp = ninp
        self.decoder = nn.Linear(ninp, ntoken)
        nn.init.uniform_(self.input_emb.weight, -0.1, 0.1)

    def forward(self, src):
        mask = torch.log(torch.tril(torch.ones(len(src), len(src))))
        output = self.encoder(self.pos_encoder(self.input_emb(src) * math.sqrt(self.ninp)), mask=mask)
        return F.log_softmax(self.decoder(output), dim=-1)


def tokenize(text, dictionary):
    idss = []
    for line in text.splitlines():
        words = line.split() + ["<eos>"]
        idss.append(torch.tensor([dictionary.add_word(word) for word in words]).type(torch.int64))
    return torch.cat(idss)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    return data.narrow(0, 0, nbatch * bsz).view(bsz, -1).t().contiguous()


def get_batch(source, i, bptt):
    seq_len = min(bptt, len(source) - 1 - i)
    return source[i : i + seq_len], source[i + 1 : i + 1 + seq_len].view(-1)


def repackage_hidden(h):
    return h.detach() if isinstance(h, torch.Tensor) else tuple(repackage_hidden(v) for v in h)


def train(model, data, args):
    criterion, lr, step = nn.NLLLoss(), args.lr, 0
    model.train()
    recurrent = not isinstance(model, TransformerModel)
    while step < args.steps:
        hidden = model.init_hidden(args.batch_size) if recurrent else None
        for i in range(0, data.size(0) - 1, args.bptt):
            batch, targets = get_batch(data, i, args.bptt)
            model.zero_grad()
            if recurrent:
                hidden = repackage_hidden(hidden)
                output, hidden = model(batch, hidden)
            else:
                output = model(batch).view(-1, model.decoder.out_features)
            loss = criterion(output, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
            for p in model.parameters():
                if p.grad is not None:
                    p.data.add_(p.grad, alpha=-lr)
            print(f"{step} {loss.item():.8g}")
            step += 1
            if step == args.steps:
                break
    return math.exp(loss.item())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--clip", type=float, default=0.25)
    parser.add_argument("--bptt", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    corpus = Dictionary()
    data = batchify(tokenize(TEXT, corpus), args.batch_size)
    for kind in ("LSTM", "GRU", "RNN_TANH", "Transformer"):
        torch.manual_seed(1111)
        if kind == "Transformer":
            model = TransformerModel(len(corpus), 16, 2, 32, 2)
        else:
            model = RNNModel(kind, len(corpus), 16, 16, 2, tie_weights=True)
        print(f"{kind} perplexity {train(model, data, args):.3f}")
        with io.BytesIO() as f:
            torch.save(model, f)
            f.seek(0)
            again = torch.load(f, weights_only=False)
        again.eval()
        word = torch.randint(len(corpus), (1, 1), dtype=torch.long)
        with torch.no_grad():
            output = again(word) if kind == "Transformer" else again(word, again.init_hidden(1))[0]
            weights = output.reshape(-1).div(0.9).exp().cpu()
            print(corpus.idx2word[torch.multinomial(weights, 1)[0]])
