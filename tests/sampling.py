"""Which rows of a long table the quick run takes."""

import zlib

import pytest


def sampled(rows, one_in):
    """The rows as parameters, all but one in so many marked slow.

    They are chosen by a checksum of their text, so that neighbours in the table, which are alike, fall apart.
    """
    return [pytest.param(row, marks=[pytest.mark.slow] * (zlib.crc32(str(row).encode()) % one_in != 0)) for row in rows]
