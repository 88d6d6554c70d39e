"""What users get wrong most in layers, losses, training and data: a program, PyTorch's error, ours."""

import pytest
from compare import assert_same_mistake, f, leaf, longs

LAYERS = {
    "Linear, features": lambda ns: ns.nn.Linear(3, 4)(ns.ones(2, 5)),
    "Linear, a batch of matrices": lambda ns: ns.nn.Linear(3, 4)(ns.ones(2, 2, 5)),
    "Linear, one row": lambda ns: ns.nn.Linear(3, 4)(ns.ones(5)),
    "Linear of a number": lambda ns: ns.nn.Linear(3, 4)(ns.tensor(1.0)),
    "Linear of integers": lambda ns: ns.nn.Linear(3, 4)(ns.ones(2, 3).long()),
    "Linear of doubles": lambda ns: ns.nn.Linear(3, 4)(ns.ones(2, 3).double()),
    "Linear of halves": lambda ns: ns.nn.Linear(3, 4)(ns.ones(2, 3).half()),
    "Linear without an input": lambda ns: ns.nn.Linear(3, 4)(),
    "Linear of two inputs": lambda ns: ns.nn.Linear(3, 4)(ns.ones(3), ns.ones(3)),
    "Linear, sizes as texts": lambda ns: ns.nn.Linear("3", 4),
    "Linear, a negative size": lambda ns: ns.nn.Linear(-3, 4),
    "Linear, a float size": lambda ns: ns.nn.Linear(3.0, 4),
    "Linear without sizes": lambda ns: ns.nn.Linear(3),
    "Bilinear, features": lambda ns: ns.nn.Bilinear(2, 3, 4)(ns.ones(1, 2), ns.ones(1, 2)),
    "Conv2d, channels": lambda ns: ns.nn.Conv2d(3, 8, 3)(ns.ones(1, 1, 28, 28)),
    "Conv2d of a picture without channels": lambda ns: ns.nn.Conv2d(1, 8, 3)(ns.ones(28, 28)),
    "Conv2d, channels last": lambda ns: ns.nn.Conv2d(3, 8, 3)(ns.ones(1, 28, 28, 3)),
    "Conv2d, kernel too large": lambda ns: ns.nn.Conv2d(1, 8, 5)(ns.ones(1, 1, 3, 3)),
    "Conv2d of bytes": lambda ns: ns.nn.Conv2d(1, 8, 3)(ns.ones(1, 1, 28, 28).byte()),
    "Conv2d of doubles": lambda ns: ns.nn.Conv2d(1, 8, 3)(ns.ones(1, 1, 28, 28).double()),
    "Conv2d, groups": lambda ns: ns.nn.Conv2d(3, 8, 3, groups=2),
    "Conv2d, groups of outputs": lambda ns: ns.nn.Conv2d(4, 6, 3, groups=4),
    "Conv2d, groups below one": lambda ns: ns.nn.Conv2d(4, 6, 3, groups=0),
    "Conv2d, padding mode": lambda ns: ns.nn.Conv2d(1, 2, 3, padding_mode="mirror"),
    "Conv2d, padding by a word": lambda ns: ns.nn.Conv2d(1, 2, 3, padding="full"),
    "Conv2d, same with a stride": lambda ns: ns.nn.Conv2d(1, 2, 3, padding="same", stride=2),
    "Conv2d, stride of nothing": lambda ns: ns.nn.Conv2d(1, 2, 3, stride=0)(ns.ones(1, 1, 5, 5)),
    "Conv2d, no kernel": lambda ns: ns.nn.Conv2d(1, 2),
    "Conv1d of a plane": lambda ns: ns.nn.Conv1d(3, 4, 2)(ns.ones(1, 3, 5, 5)),
    "ConvTranspose2d, channels": lambda ns: ns.nn.ConvTranspose2d(3, 4, 2)(ns.ones(1, 4, 5, 5)),
    "ConvTranspose2d, output_size": lambda ns: ns.nn.ConvTranspose2d(1, 1, 2)(
        ns.ones(1, 1, 5, 5), output_size=(20, 20)
    ),
    "MaxPool2d, kernel too large": lambda ns: ns.nn.MaxPool2d(4)(ns.ones(1, 1, 2, 2)),
    "MaxPool2d, padding": lambda ns: ns.nn.MaxPool2d(2, padding=2)(ns.ones(1, 1, 4, 4)),
    "AvgPool2d of a vector": lambda ns: ns.nn.AvgPool2d(2)(ns.ones(4)),
    "BatchNorm1d, features": lambda ns: ns.nn.BatchNorm1d(3)(ns.ones(2, 4)),
    "BatchNorm1d of one row": lambda ns: ns.nn.BatchNorm1d(3)(ns.ones(1, 3)),
    "BatchNorm1d of pictures": lambda ns: ns.nn.BatchNorm1d(3)(ns.ones(1, 3, 2, 2)),
    "BatchNorm2d of rows": lambda ns: ns.nn.BatchNorm2d(3)(ns.ones(2, 3)),
    "BatchNorm2d, channels": lambda ns: ns.nn.BatchNorm2d(3)(ns.ones(2, 4, 2, 2)),
    "BatchNorm2d of doubles": lambda ns: ns.nn.BatchNorm2d(3)(ns.ones(2, 3, 2, 2).double()),
    "LayerNorm, features": lambda ns: ns.nn.LayerNorm(3)(ns.ones(2, 4)),
    "LayerNorm of integers": lambda ns: ns.nn.LayerNorm(3)(ns.ones(2, 3).long()),
    "GroupNorm, groups": lambda ns: ns.nn.GroupNorm(2, 3),
    "GroupNorm, channels": lambda ns: ns.nn.GroupNorm(2, 4)(ns.ones(1, 6, 2)),
    "InstanceNorm1d of one element": lambda ns: ns.nn.InstanceNorm1d(3)(ns.ones(2, 3, 1)),
    "Embedding of floats": lambda ns: ns.nn.Embedding(4, 2)(ns.ones(3)),
    "Embedding, out of range": lambda ns: ns.nn.Embedding(4, 2)(longs(ns, 0, 4)),
    "Embedding, negative": lambda ns: ns.nn.Embedding(4, 2)(longs(ns, -1)),
    "Embedding, padding_idx": lambda ns: ns.nn.Embedding(4, 2, padding_idx=4),
    "Embedding, weights": lambda ns: ns.nn.Embedding(4, 2, _weight=ns.ones(3, 2)),
    "EmbeddingBag of a vector": lambda ns: ns.nn.EmbeddingBag(4, 2)(longs(ns, 0, 1)),
    "LSTM, features": lambda ns: ns.nn.LSTM(3, 4)(ns.ones(5, 2, 6)),
    "LSTM of a vector": lambda ns: ns.nn.LSTM(3, 4)(ns.ones(3)),
    "LSTM, hidden state": lambda ns: ns.nn.LSTM(3, 4)(ns.ones(5, 2, 3), (ns.zeros(1, 3, 4), ns.zeros(1, 3, 4))),
    "LSTM, hidden state alone": lambda ns: ns.nn.LSTM(3, 4)(ns.ones(5, 2, 3), ns.zeros(1, 2, 4)),
    "LSTM of doubles": lambda ns: ns.nn.LSTM(3, 4)(ns.ones(5, 2, 3).double()),
    "LSTM, hidden size": lambda ns: ns.nn.LSTM(3, 0),
    "LSTM, projections": lambda ns: ns.nn.LSTM(3, 4, proj_size=5),
    "GRU, hidden state": lambda ns: ns.nn.GRU(3, 4)(ns.ones(5, 2, 3), ns.zeros(1, 2, 5)),
    "GRU, hidden state of a row": lambda ns: ns.nn.GRU(3, 4)(ns.ones(5, 2, 3), ns.zeros(2, 4)),
    "RNN, nonlinearity": lambda ns: ns.nn.RNN(3, 4, nonlinearity="sigmoid"),
    "RNN, dropout": lambda ns: ns.nn.RNN(3, 4, dropout=2.0),
    "LSTMCell, features": lambda ns: ns.nn.LSTMCell(3, 4)(ns.ones(2, 5)),
    "GRUCell, hidden state": lambda ns: ns.nn.GRUCell(3, 4)(ns.ones(2, 3), ns.ones(2, 5)),
    "MultiheadAttention, heads": lambda ns: ns.nn.MultiheadAttention(5, 2),
    "MultiheadAttention, features": lambda ns: ns.nn.MultiheadAttention(4, 2)(*[ns.ones(3, 1, 6)] * 3),
    "MultiheadAttention, mask": lambda ns: ns.nn.MultiheadAttention(4, 2)(
        *[ns.ones(3, 1, 4)] * 3, attn_mask=ns.zeros(2, 2)
    ),
    "TransformerEncoderLayer, heads": lambda ns: ns.nn.TransformerEncoderLayer(10, 3),
    "attention, shapes": lambda ns: f(ns).scaled_dot_product_attention(ns.ones(2, 3), ns.ones(2, 4), ns.ones(2, 4)),
    "attention, dtypes": lambda ns: f(ns).scaled_dot_product_attention(
        ns.ones(2, 3), ns.ones(2, 3).double(), ns.ones(2, 3)
    ),
    "Dropout, probability": lambda ns: ns.nn.Dropout(1.5),
    "dropout, probability": lambda ns: f(ns).dropout(ns.ones(2), -0.5),
    "Flatten, order": lambda ns: ns.nn.Flatten(2, 1)(ns.ones(2, 3, 4)),
    "Unflatten, sizes": lambda ns: ns.nn.Unflatten(1, (2, 2))(ns.ones(2, 6)),
    "PReLU, channels": lambda ns: ns.nn.PReLU(3)(ns.ones(2, 4)),
    "PixelShuffle, channels": lambda ns: ns.nn.PixelShuffle(2)(ns.ones(1, 3, 2, 2)),
    "Upsample, no size": lambda ns: ns.nn.Upsample()(ns.ones(1, 1, 2, 2)),
    "interpolate, size and scale": lambda ns: f(ns).interpolate(ns.ones(1, 1, 2), size=4, scale_factor=2),
    "interpolate, mode": lambda ns: f(ns).interpolate(ns.ones(1, 1, 2, 2), 4, mode="cubic"),
    "one_hot, classes": lambda ns: f(ns).one_hot(longs(ns, 0, 3), 3),
    "one_hot of floats": lambda ns: f(ns).one_hot(ns.ones(2)),
    "softmax over a third dimension": lambda ns: f(ns).softmax(ns.ones(2, 3), dim=2),
    "glu of an odd size": lambda ns: f(ns).glu(ns.ones(3)),
    "pad of more than there is": lambda ns: f(ns).pad(ns.ones(1, 1, 3), (3, 0), mode="reflect"),
    "normalize over a third dimension": lambda ns: f(ns).normalize(ns.ones(2, 3), dim=2),
    "Sequential of a function": lambda ns: ns.nn.Sequential(ns.nn.ReLU(), ns.relu),
    "Sequential, index": lambda ns: ns.nn.Sequential(ns.nn.ReLU())[1],
    "ModuleList of a tensor": lambda ns: ns.nn.ModuleList([ns.ones(2)]),
    "ModuleList as a layer": lambda ns: ns.nn.ModuleList([ns.nn.ReLU()])(ns.ones(2)),
    "ModuleDict, key": lambda ns: ns.nn.ModuleDict({"a": ns.nn.ReLU()})["b"],
    "ParameterList of a number": lambda ns: ns.nn.ParameterDict({"a": leaf(ns, 2)})["b"],
    "Parameter of integers": lambda ns: ns.nn.Parameter(longs(ns, 1)),
    "init of a vector": lambda ns: ns.nn.init.xavier_uniform_(ns.ones(3)),
    "init, gain": lambda ns: ns.nn.init.calculate_gain("swish"),
    "init, mode": lambda ns: ns.nn.init.kaiming_normal_(ns.ones(3, 3), mode="fan"),
    "clip_grad_norm_, infinite": lambda ns: clipped(ns),
    "weight of text": lambda ns: setattr(ns.nn.Linear(1, 1), "weight", ns.ones(1, 1)),
    "weight_norm, name": lambda ns: ns.nn.utils.parametrizations.weight_norm(ns.nn.Linear(1, 1), "weights"),
    "pack_padded_sequence, order": lambda ns: ns.nn.utils.rnn.pack_padded_sequence(ns.ones(3, 2, 1), [2, 3]),
    "pack_padded_sequence, lengths": lambda ns: ns.nn.utils.rnn.pack_padded_sequence(ns.ones(3, 2, 1), [3, 0]),
    "pack_padded_sequence, batch": lambda ns: ns.nn.utils.rnn.pack_padded_sequence(ns.ones(3, 2, 1), [3]),
    "pad_sequence of nothing": lambda ns: ns.nn.utils.rnn.pad_sequence([]),
}


def clipped(ns):
    x = leaf(ns, 1)
    (x * float("inf")).sum().backward()
    ns.nn.utils.clip_grad_norm_([x], 1.0, error_if_nonfinite=True)


LOSSES = {
    "CrossEntropyLoss, batch": lambda ns: ns.nn.CrossEntropyLoss()(ns.ones(3, 4), longs(ns, 0, 1)),
    "CrossEntropyLoss, float targets": lambda ns: ns.nn.CrossEntropyLoss()(ns.ones(3, 4), ns.ones(3)),
    "CrossEntropyLoss, int32 targets": lambda ns: ns.nn.CrossEntropyLoss()(ns.ones(1, 4), ns.ones(1).int()),
    "CrossEntropyLoss, class": lambda ns: ns.nn.CrossEntropyLoss()(ns.ones(2, 4), longs(ns, 0, 4)),
    "CrossEntropyLoss, negative class": lambda ns: ns.nn.CrossEntropyLoss()(ns.ones(2, 4), longs(ns, 0, -1)),
    "CrossEntropyLoss, a column of targets": lambda ns: ns.nn.CrossEntropyLoss()(
        ns.ones(2, 4), ns.zeros(2, 1, dtype=ns.int64)
    ),
    "CrossEntropyLoss, probabilities of integers": lambda ns: ns.nn.CrossEntropyLoss()(
        ns.ones(2, 4), ns.zeros(2, 4, dtype=ns.int64)
    ),
    "CrossEntropyLoss, weights": lambda ns: ns.nn.CrossEntropyLoss(ns.ones(3))(ns.ones(2, 4), longs(ns, 0, 1)),
    "CrossEntropyLoss, weights' dtype": lambda ns: ns.nn.CrossEntropyLoss(ns.ones(4).double())(
        ns.ones(2, 4), longs(ns, 0, 1)
    ),
    "CrossEntropyLoss of integers": lambda ns: ns.nn.CrossEntropyLoss()(ns.ones(2, 4).long(), longs(ns, 0, 1)),
    "CrossEntropyLoss, reduction": lambda ns: ns.nn.CrossEntropyLoss(reduction="avg")(ns.ones(2, 4), longs(ns, 0, 1)),
    "CrossEntropyLoss, label_smoothing": lambda ns: ns.nn.CrossEntropyLoss(label_smoothing=2.0)(
        ns.ones(2, 4), longs(ns, 0, 1)
    ),
    "CrossEntropyLoss of pictures": lambda ns: ns.nn.CrossEntropyLoss()(
        ns.ones(1, 3, 4, 4), ns.zeros(1, 4, 5, dtype=ns.int64)
    ),
    "NLLLoss, float targets": lambda ns: ns.nn.NLLLoss()(ns.ones(2, 4), ns.ones(2)),
    "NLLLoss of integers": lambda ns: ns.nn.NLLLoss()(ns.ones(2, 4).long(), longs(ns, 0, 1)),
    "BCELoss, shapes": lambda ns: ns.nn.BCELoss()(ns.full((2, 1), 0.5), ns.ones(2)),
    "BCELoss of logits": lambda ns: ns.nn.BCELoss()(ns.full((2,), 2.0), ns.ones(2)),
    "BCELoss, integer targets": lambda ns: ns.nn.BCELoss()(ns.full((2,), 0.5), longs(ns, 0, 1)),
    "BCEWithLogitsLoss, shapes": lambda ns: ns.nn.BCEWithLogitsLoss()(ns.ones(2, 1), ns.ones(2)),
    "BCEWithLogitsLoss, integer targets": lambda ns: ns.nn.BCEWithLogitsLoss()(ns.ones(2), longs(ns, 0, 1)),
    "MSELoss, shapes": lambda ns: ns.nn.MSELoss()(ns.ones(2), ns.ones(3)),
    "MSELoss, reduction": lambda ns: ns.nn.MSELoss(reduction="average")(ns.ones(2), ns.ones(2)),
    "L1Loss, shapes": lambda ns: ns.nn.L1Loss()(ns.ones(2, 2), ns.ones(3, 2)),
    "SmoothL1Loss, beta": lambda ns: ns.nn.SmoothL1Loss(beta=-1.0)(ns.ones(2), ns.ones(2)),
    "HuberLoss, delta": lambda ns: ns.nn.HuberLoss(delta=0.0)(ns.ones(2), ns.ones(2)),
    "KLDivLoss, shapes": lambda ns: ns.nn.KLDivLoss(reduction="sum")(ns.ones(2), ns.ones(3)),
    "CosineEmbeddingLoss, targets": lambda ns: ns.nn.CosineEmbeddingLoss()(ns.ones(2, 3), ns.ones(2, 3), ns.ones(3)),
    "TripletMarginLoss, shapes": lambda ns: ns.nn.TripletMarginLoss()(ns.ones(2, 3), ns.ones(2), ns.ones(2, 3)),
    "CTCLoss, lengths": lambda ns: ns.nn.CTCLoss()(ns.zeros(5, 1, 3), longs(ns, 1, 2).reshape(1, 2), [6], [2]),
    "PoissonNLLLoss, eps": lambda ns: ns.nn.PoissonNLLLoss(eps="a")(ns.ones(2), ns.ones(2)),
    "CosineSimilarity, eps": lambda ns: ns.nn.CosineSimilarity(eps=-1.0)(ns.ones(1, 2), ns.ones(1, 2)),
    "CTCLoss, targets of one row": lambda ns: ns.nn.CTCLoss()(ns.zeros(5, 3), longs(ns, 1, 2), [5], [1]),
    "MarginRankingLoss, shapes": lambda ns: ns.nn.MarginRankingLoss()(ns.ones(2, 2), ns.ones(2), ns.ones(2)),
}


def loaded(ns, change, **options):
    model = ns.nn.Sequential(ns.nn.Linear(2, 3), ns.nn.ReLU())
    state = model.state_dict()
    change(ns, state)
    model.load_state_dict(state, **options)


def stepped(ns, make):
    optimizer = make(ns, [leaf(ns, 2)])
    optimizer.step()


def closed(ns):
    x = leaf(ns, 2)
    ns.optim.LBFGS([x]).step()


def scheduled(ns, make):
    return make(ns.optim.lr_scheduler, ns.optim.SGD([leaf(ns, 1)], lr=0.1))


class Unregistered:
    """A module that forgets `super().__init__()`."""

    def __new__(cls, ns, **values):
        def __init__(self):
            for name, value in values.items():
                setattr(self, name, value)

        return type("Net", (ns.nn.Module,), {"__init__": __init__})()


MODULES = {
    "load_state_dict, missing": lambda ns: loaded(ns, lambda ns, s: s.pop("0.weight")),
    "load_state_dict, unexpected": lambda ns: loaded(ns, lambda ns, s: s.update(extra=ns.ones(1))),
    "load_state_dict, shape": lambda ns: loaded(ns, lambda ns, s: s.update({"0.bias": ns.ones(5)})),
    "load_state_dict, a number": lambda ns: loaded(ns, lambda ns, s: s.update({"0.bias": 1.0})),
    "load_state_dict, shape without strict": lambda ns: loaded(
        ns, lambda ns, s: s.update({"0.bias": ns.ones(5)}), strict=False
    ),
    "load_state_dict of a list": lambda ns: ns.nn.Linear(1, 1).load_state_dict([]),
    "a layer before super().__init__()": lambda ns: Unregistered(ns, fc=ns.nn.Linear(1, 1)),
    "a parameter before super().__init__()": lambda ns: Unregistered(ns, w=ns.nn.Parameter(ns.ones(1))),
    "no forward": lambda ns: ns.nn.Module()(ns.ones(1)),
    "unknown attribute": lambda ns: ns.nn.Linear(1, 1).wieght,
    "register_parameter of a tensor": lambda ns: ns.nn.Module().register_parameter("w", ns.ones(1)),
    "register_parameter of a result": lambda ns: ns.nn.Module().register_parameter("w.x", ns.nn.Parameter(ns.ones(1))),
    "register_buffer of a number": lambda ns: ns.nn.Module().register_buffer("b", 1.0),
    "register_buffer twice": lambda ns: ns.nn.Linear(1, 1).register_buffer("weight", ns.ones(1)),
    "add_module of a function": lambda ns: ns.nn.Module().add_module("f", print),
    "get_submodule": lambda ns: ns.nn.Sequential(ns.nn.ReLU()).get_submodule("1"),
    "get_parameter": lambda ns: ns.nn.Linear(1, 1).get_parameter("w"),
    "train of a text": lambda ns: ns.nn.Linear(1, 1).train("yes"),
    "to of a number": lambda ns: ns.nn.Linear(1, 1).to([1]),
    "SGD without parameters": lambda ns: ns.optim.SGD([], lr=0.1),
    "SGD of a tensor": lambda ns: ns.optim.SGD(leaf(ns, 1), lr=0.1),
    "SGD of numbers": lambda ns: ns.optim.SGD([1.0], lr=0.1),
    "SGD of a result": lambda ns: ns.optim.SGD([leaf(ns, 1) * 2], lr=0.1),
    "SGD, lr": lambda ns: ns.optim.SGD([leaf(ns, 1)], lr=-0.1),
    "SGD, momentum": lambda ns: ns.optim.SGD([leaf(ns, 1)], lr=0.1, momentum=-1),
    "SGD, weight_decay": lambda ns: ns.optim.SGD([leaf(ns, 1)], lr=0.1, weight_decay=-1),
    "SGD, nesterov": lambda ns: ns.optim.SGD([leaf(ns, 1)], lr=0.1, nesterov=True),
    "SGD, unknown": lambda ns: ns.optim.SGD([leaf(ns, 1)], lr=0.1, betas=(0.9, 0.99)),
    "SGD, one parameter twice": lambda ns: (lambda p: ns.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1))(
        leaf(ns, 1)
    ),
    "SGD, a set": lambda ns: ns.optim.SGD([{"params": {leaf(ns, 1)}}], lr=0.1),
    "SGD, groups without params": lambda ns: ns.optim.SGD([{"lr": 0.1}], lr=0.1),
    "Adam, betas": lambda ns: ns.optim.Adam([leaf(ns, 1)], betas=(1.0, 0.9)),
    "Adam, second beta": lambda ns: ns.optim.Adam([leaf(ns, 1)], betas=(0.9, 1.5)),
    "Adam, eps": lambda ns: ns.optim.Adam([leaf(ns, 1)], eps=-1.0),
    "Adam, lr": lambda ns: ns.optim.Adam([leaf(ns, 1)], lr=-1.0),
    "AdamW, weight_decay": lambda ns: ns.optim.AdamW([leaf(ns, 1)], weight_decay=-1.0),
    "RMSprop, alpha": lambda ns: ns.optim.RMSprop([leaf(ns, 1)], alpha=-1.0),
    "Adagrad, lr_decay": lambda ns: ns.optim.Adagrad([leaf(ns, 1)], lr_decay=-1.0),
    "LBFGS without a closure": closed,
    "LBFGS, groups": lambda ns: ns.optim.LBFGS([{"params": [leaf(ns, 1)]}, {"params": [leaf(ns, 1)]}]),
    "optimizer's state of another": lambda ns: ns.optim.SGD([leaf(ns, 1)], lr=0.1).load_state_dict(
        ns.optim.SGD([leaf(ns, 1), leaf(ns, 2)], lr=0.1).state_dict()
    ),
    "optimizer's state, groups": lambda ns: ns.optim.SGD([leaf(ns, 1)], lr=0.1).load_state_dict(
        {"state": {}, "param_groups": []}
    ),
    "scheduler of a model": lambda ns: ns.optim.lr_scheduler.StepLR(ns.nn.Linear(1, 1), 1),
    "scheduler, lambdas": lambda ns: scheduled(ns, lambda s, o: s.LambdaLR(o, [abs, abs])),
    "scheduler, last_epoch": lambda ns: scheduled(ns, lambda s, o: s.StepLR(o, 1, last_epoch=3)),
    "ReduceLROnPlateau, factor": lambda ns: scheduled(ns, lambda s, o: s.ReduceLROnPlateau(o, factor=1.5)),
    "ReduceLROnPlateau, mode": lambda ns: scheduled(ns, lambda s, o: s.ReduceLROnPlateau(o, mode="least")),
    "ReduceLROnPlateau, no metric": lambda ns: scheduled(ns, lambda s, o: s.ReduceLROnPlateau(o).step()),
    "OneCycleLR, steps": lambda ns: scheduled(ns, lambda s, o: s.OneCycleLR(o, 0.1)),
    "OneCycleLR, too many steps": lambda ns: scheduled(
        ns, lambda s, o: [c := s.OneCycleLR(o, 0.1, total_steps=2), *[c.step() for _ in range(5)]]
    ),
    "SequentialLR, milestones": lambda ns: scheduled(ns, lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1])),
    "CosineAnnealingWarmRestarts, T_0": lambda ns: scheduled(ns, lambda s, o: s.CosineAnnealingWarmRestarts(o, 0)),
}


def data(ns):
    return ns.utils.data


def numbers(ns, n=4):
    return data(ns).TensorDataset(ns.arange(n))


class Plain:
    """No Dataset, but indexed and with a length."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, i):
        return self.values[i]


DATA = {
    "TensorDataset, lengths": lambda ns: data(ns).TensorDataset(ns.ones(2), ns.ones(3)),
    "TensorDataset of lists": lambda ns: data(ns).TensorDataset([1, 2]),
    "TensorDataset, index": lambda ns: numbers(ns)[9],
    "Dataset itself": lambda ns: data(ns).Dataset()[0],
    "IterableDataset, index": lambda ns: data(ns).IterableDataset()[0],
    "Subset, index": lambda ns: data(ns).Subset(numbers(ns), [9])[0],
    "random_split, lengths": lambda ns: data(ns).random_split(numbers(ns), [1, 1]),
    "random_split, fractions": lambda ns: data(ns).random_split(numbers(ns), [0.9, 0.9]),
    "random_split, fractions beyond the whole": lambda ns: data(ns).random_split(numbers(ns), [1.5, 2.5]),
    "random_split, a negative fraction": lambda ns: data(ns).random_split(numbers(ns), [-0.5, 0.5]),
    "ConcatDataset of nothing": lambda ns: data(ns).ConcatDataset([]),
    "ConcatDataset, index": lambda ns: data(ns).ConcatDataset([numbers(ns)])[-9],
    "DataLoader, batch_size": lambda ns: data(ns).DataLoader(numbers(ns), batch_size=0),
    "DataLoader, a negative batch_size": lambda ns: data(ns).DataLoader(numbers(ns), batch_size=-1),
    "DataLoader, a float batch_size": lambda ns: data(ns).DataLoader(numbers(ns), batch_size=1.5),
    "DataLoader, a text as batch_size": lambda ns: data(ns).DataLoader(numbers(ns), batch_size="4"),
    "DataLoader, sampler and shuffle": lambda ns: data(ns).DataLoader(numbers(ns), sampler=[0, 1], shuffle=True),
    "DataLoader, batch_sampler and batch_size": lambda ns: data(ns).DataLoader(
        numbers(ns), batch_size=2, batch_sampler=[[0]]
    ),
    "DataLoader, drop_last without batches": lambda ns: data(ns).DataLoader(
        numbers(ns), batch_size=None, drop_last=True
    ),
    "DataLoader, workers": lambda ns: data(ns).DataLoader(numbers(ns), num_workers=-1),
    "DataLoader, prefetch_factor": lambda ns: data(ns).DataLoader(numbers(ns), prefetch_factor=2),
    "DataLoader, persistent_workers": lambda ns: data(ns).DataLoader(numbers(ns), persistent_workers=True),
    "DataLoader, timeout": lambda ns: data(ns).DataLoader(numbers(ns), timeout=-1),
    "DataLoader, shuffle of a stream": lambda ns: data(ns).DataLoader(data(ns).IterableDataset(), shuffle=True),
    "DataLoader, shuffle of nothing": lambda ns: data(ns).DataLoader(numbers(ns, 0), shuffle=True),
    "DataLoader, unknown": lambda ns: data(ns).DataLoader(numbers(ns), batchsize=2),
    "DataLoader, its batch_size set": lambda ns: setattr(data(ns).DataLoader(numbers(ns)), "batch_size", 2),
    "DataLoader of a set": lambda ns: list(data(ns).DataLoader({1, 2})),
    "DataLoader of None": lambda ns: list(data(ns).DataLoader([None])),
    "DataLoader of objects": lambda ns: list(data(ns).DataLoader(Plain([object()]))),
    "DataLoader of other sizes": lambda ns: list(data(ns).DataLoader([ns.ones(2), ns.ones(3)], batch_size=2)),
    "DataLoader of ragged lists": lambda ns: list(data(ns).DataLoader([[1, 2], [3]], batch_size=2)),
    "DataLoader, sampler out of range": lambda ns: list(data(ns).DataLoader([1, 2], sampler=[5])),
    "default_collate of a function": lambda ns: data(ns).default_collate([print]),
    "default_collate of other keys": lambda ns: data(ns).default_collate([{"a": 1}, {"b": 1}]),
    "RandomSampler, num_samples": lambda ns: data(ns).RandomSampler([1, 2], num_samples=0),
    "RandomSampler, replacement": lambda ns: data(ns).RandomSampler([1, 2], replacement="yes"),
    "RandomSampler of nothing": lambda ns: list(data(ns).RandomSampler([])),
    "BatchSampler, batch_size": lambda ns: data(ns).BatchSampler(range(3), 0, False),
    "BatchSampler, drop_last": lambda ns: data(ns).BatchSampler(range(3), 2, "no"),
    "WeightedRandomSampler, num_samples": lambda ns: data(ns).WeightedRandomSampler([1.0], 0),
    "WeightedRandomSampler, weights": lambda ns: data(ns).WeightedRandomSampler([[1.0]], 1),
    "WeightedRandomSampler, too many": lambda ns: list(data(ns).WeightedRandomSampler([1.0], 2, replacement=False)),
}

TABLE = {
    f"{group}: {name}": program
    for group, programs in {"nn": LAYERS, "losses": LOSSES, "modules": MODULES, "data": DATA}.items()
    for name, program in programs.items()
}

# where torch's first line is Python's about another function, names its own modules, or shows a set in any order
OWN_WORDS = (
    "nn: Conv2d, padding mode",
    "nn: Conv2d, padding by a word",
    "nn: Conv2d, no kernel",
    "nn: Sequential of a function",
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TABLE)
def test_mistake_in_training_ends_as_in_torch(name):
    assert_same_mistake(TABLE[name], own_words=name in OWN_WORDS)
