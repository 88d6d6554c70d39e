"""Text generation, letter by letter: an embedding, a GRU, and a temperature."""

import string
import time

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

torch.manual_seed(4)
TEXT = (
    "the wind was a torrent of darkness among the gusty trees, the moon was a ghostly galleon tossed upon cloudy seas, "
    "the road was a ribbon of moonlight over the purple moor, and the highwayman came riding, riding, riding. "
) * 3
all_characters = string.ascii_lowercase + " ,."
n_characters = len(all_characters)


def char_tensor(text):
    tensor = torch.zeros(len(text)).long()
    for c in range(len(text)):
        tensor[c] = all_characters.index(text[c])
    return tensor


class CharRNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size, model="gru", n_layers=1):
        super().__init__()
        self.n_layers, self.hidden_size, self.model = n_layers, hidden_size, model.lower()
        self.encoder = nn.Embedding(input_size, hidden_size)
        self.rnn = {"gru": nn.GRU, "lstm": nn.LSTM}[self.model](hidden_size, hidden_size, n_layers)
        self.decoder = nn.Linear(hidden_size, output_size)

    def forward(self, input, hidden):
        batch_size = input.size(0)
        output, hidden = self.rnn(self.encoder(input).view(1, batch_size, -1), hidden)
        return self.decoder(output.view(batch_size, -1)), hidden

    def init_hidden(self, batch_size):
        zeros = torch.zeros(self.n_layers, batch_size, self.hidden_size)
        return (zeros, zeros.clone()) if self.model == "lstm" else zeros


def random_training_set(chunk_len, batch_size):
    starts = torch.randint(0, len(TEXT) - chunk_len - 1, (batch_size,))
    chunks = torch.stack([char_tensor(TEXT[s : s + chunk_len + 1]) for s in starts.tolist()])
    return chunks[:, :-1], chunks[:, 1:]


def generate(decoder, prime_str="th", predict_len=40, temperature=0.8):
    hidden = decoder.init_hidden(1)
    prime_input = char_tensor(prime_str).unsqueeze(0)
    predicted = prime_str
    for p in range(len(prime_str) - 1):
        _, hidden = decoder(prime_input[:, p], hidden)
    inp = prime_input[:, -1]
    for _ in range(predict_len):
        output, hidden = decoder(inp, hidden)
        output_dist = output.data.view(-1).div(temperature).exp()
        top_i = torch.multinomial(output_dist, 1)[0]
        predicted += all_characters[top_i]
        inp = char_tensor(all_characters[top_i]).unsqueeze(0)
    return predicted


start = time.time()
for kind in ("gru", "lstm"):
    decoder = CharRNN(n_characters, 32, n_characters, kind, n_layers=2)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()
    for step in range(20):
        inp, target = random_training_set(12, 4)
        hidden = decoder.init_hidden(4)
        decoder.zero_grad()
        loss = 0
        for c in range(12):
            output, hidden = decoder(inp[:, c], hidden)
            loss += criterion(output.view(4, -1), target[:, c])
        loss.backward()
        nn.utils.clip_grad_value_(decoder.parameters(), 1.0)
        optimizer.step()
        print(f"{step} {loss.item() / 12:.8g}")
    with torch.no_grad():
        print(generate(decoder))

# Words of several lengths at once.
words = ["wind", "torrent", "of", "moonlight"]
encoder, rnn = nn.Embedding(n_characters, 8), nn.RNN(8, 16, batch_first=True, bidirectional=True)
padded = pad_sequence([char_tensor(w) for w in words], batch_first=True)
packed = pack_padded_sequence(encoder(padded), [len(w) for w in words], batch_first=True, enforce_sorted=False)
output, h_n = rnn(packed)
output, lengths = pad_packed_sequence(output, batch_first=True)
print(output.shape, h_n.shape, lengths.tolist(), f"{output.sum().item():.4f}")
assert time.time() > start
