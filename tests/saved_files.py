"""A model, and what a framework saves, in memory."""

import io


def model(t):
    t.manual_seed(0)
    nn = t.nn
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))


def saved(t, obj, **options):
    buffer = io.BytesIO()
    t.save(obj, buffer, **options)
    return io.BytesIO(buffer.getvalue())
