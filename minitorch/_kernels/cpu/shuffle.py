"""Fisher and Yates' shuffle, from the front as torch does it."""

from numba import njit


@njit(cache=True, error_model="numpy", nogil=True, _nrt=False)
def shuffle(values, words):
    """Swap values[i] with one of those from i on, by words[i] of uint32; all but the last have a word."""
    for i in range(words.size):
        j = i + int(words[i]) % (values.size - i)
        values[i], values[j] = values[j], values[i]
