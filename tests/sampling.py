"""Which rows of a long table the quick run takes."""

import zlib

import pytest


def sampled(rows, one_in):
    """The rows as parameters, all but one in so many marked slow.

    They are chosen by a checksum of their text, so that neighbours in the table, which are alike, fall apart.
    """
    parameters = [row if hasattr(row, "marks") else pytest.param(row) for row in rows]
    return [pytest.param(*p.values, id=p.id, marks=(*p.marks, *_slow(p.values, one_in))) for p in parameters]


def _slow(values, one_in):
    text = str(values[0] if len(values) == 1 else values)
    return [pytest.mark.slow] if zlib.crc32(text.encode()) % one_in else []
