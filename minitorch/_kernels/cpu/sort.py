"""Sorting and selecting pairs of an integer key and an index, by key alone.

Where keys are equal, the order of the indices is that of the C++ library's algorithms, on which torch's are built:
introsort, partial sort by a heap, and introselect (D. Musser, 1997), with the thresholds and pivots of GNU's
implementation. So ties come out as in torch.

The parts are put into the one loop that calls them before Numba looks at it: compiled as functions of their own they
would take half as long again.
"""

import numpy as np
from numba import njit

from .inlined import smaller
from .inner import inner

SMALL = 16  # elements that quicksort leaves to insertion
BLOCK = 32  # keys that insertion looks at together
SORT, SELECT, PARTIAL = 0, 1, 2  # all in order; the nth in its place; the first n in order, by a heap


@inner()
def _put_keys(bits, flip, keys):
    low = np.int64((1 << (8 * bits.itemsize - 1)) - 1)
    infinity = np.int64(0x7F800000) if bits.itemsize == 4 else np.int64(0x7FF0000000000000)
    for i in range(bits.size):
        b = np.int64(bits[i])
        size = b & low
        key = -size if b < 0 else size
        if size > infinity:
            key = low
        keys[i] = ~key if flip else key


@njit(cache=True, nogil=True, error_model="numpy")
def float_keys(bits, flip, keys):
    """Signed integers in the order of the floats with these bits: -0.0 as 0.0, all nan alike and last."""
    _put_keys(bits, flip, keys)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def pack(rows, flip, shift, packed):
    """packed[row, i] = the key of a float32, above `shift` bits for its place i in the row."""
    bits = rows.view(np.int32)
    for row in range(bits.shape[0]):
        keys = packed[row]
        _put_keys(bits[row], flip, keys)
        for i in range(keys.size):
            keys[i] = (keys[i] << shift) | i


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def unpack(packed, shift, rows, index, ordered, tied):
    """Of sorted rows of `pack` the first places, as many as index has columns, and the elements there.

    tied[row]: whether keys are equal of which the order, or which one is left out, matters. Returns whether any row is.
    """
    k, n = index.shape[1], packed.shape[1]
    some = False
    for row in range(packed.shape[0]):
        keys, given, at, made = packed[row], rows[row], index[row], ordered[row]
        equal, before = False, ~(keys[0] >> shift)
        for i in range(k):
            place, key = keys[i] & ((1 << shift) - 1), keys[i] >> shift
            at[i], made[i] = place, given[np.uint64(place)]
            equal |= key == before
            before = key
        tied[row] = equal or (k < n and keys[k] >> shift == before)
        some |= tied[row]
    return some


@inner()
def heap(keys, index, first, middle, last, ordered):
    """The smallest of first..last into first..middle: as a heap, or in order."""
    n = middle - first
    build = n // 2
    for step in range(build + (last - middle) + (n - 1 if ordered else 0)):
        hole = 0
        if step < build:
            hole = build - 1 - step
            key, at = keys[first + hole], index[first + hole]
        else:  # the heap's largest makes room for a smaller one from outside or, at the end, for its last
            i = middle + step - build
            if i >= last:
                n -= 1
                i = first + n
            key, at = keys[i], index[i]
            if i >= middle and key >= keys[first]:
                continue
            keys[i], index[i] = keys[first], index[first]
        top = hole
        child = 2 * hole + 2
        while child <= n:  # down along the larger children to a leaf, then up
            if child == n or keys[first + child] < keys[first + child - 1]:
                child -= 1
            keys[first + hole], index[first + hole] = keys[first + child], index[first + child]
            hole = child
            child = 2 * hole + 2
        while hole > top and keys[first + (hole - 1) // 2] < key:
            parent = (hole - 1) // 2
            keys[first + hole], index[first + hole] = keys[first + parent], index[first + parent]
            hole = parent
        keys[first + hole], index[first + hole] = key, at


@inner()
def split(keys, index, first, last):
    """Median of three to the front, then Hoare's partition; returns where the upper part begins."""
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    if keys[a] < keys[b]:
        chosen = b if keys[b] < keys[c] else c if keys[a] < keys[c] else a
    else:
        chosen = a if keys[a] < keys[c] else c if keys[b] < keys[c] else b
    pivot, at = keys[chosen], index[chosen]
    keys[chosen], index[chosen] = keys[first], index[first]
    keys[first], index[first] = pivot, at
    low, high = first + 1, last
    while True:
        while keys[low] < pivot:
            low += 1
        high -= 1
        while pivot < keys[high]:
            high -= 1
        if low >= high:
            break
        keys[low], keys[high] = keys[high], keys[low]
        index[low], index[high] = index[high], index[low]
        low += 1
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def arrange(all_keys, indices, waiting_parts, kind, nth, last):
    """SORT, SELECT or PARTIAL over 0..last of each row; waiting_parts (3, 128) is for the parts that still wait."""
    lows, highs, depths = waiting_parts
    for row in range(all_keys.shape[0]):
        keys, index = all_keys[row], indices[row]
        lows[0] = 0
        highs[0] = last
        waiting = 1
        low, high, depth = 0, last, 0
        n = last if kind != PARTIAL else 0
        while n > 1:
            n >>= 1
            depth += 2
        depths[0] = depth
        small = 3 if kind == SELECT else SMALL
        settled = False
        while waiting:
            waiting -= 1
            low = lows[waiting]
            high = highs[waiting]
            depth = depths[waiting]
            while high - low > small or kind == PARTIAL:
                if depth == 0:
                    heap(keys, index, low, high if kind == SORT else nth + 1, high, kind != SELECT)
                    settled = kind != SORT
                    if kind == SELECT:
                        keys[low], keys[nth] = keys[nth], keys[low]
                        index[low], index[nth] = index[nth], index[low]
                    break
                depth -= 1
                cut = split(keys, index, low, high)
                if kind == SORT:
                    lows[waiting] = cut
                    highs[waiting] = high
                    depths[waiting] = depth
                    waiting += 1
                    high = cut
                elif cut <= nth:
                    low = cut
                else:
                    high = cut
        if settled:
            continue
        if kind == SORT:
            low = 0
            high = last
        for i in range(low + 1, high):
            key, at = keys[i], index[i]
            j = i
            while j > low and key < keys[j - 1]:
                keys[j], index[j] = keys[j - 1], index[j - 1]
                j -= 1
            keys[j], index[j] = key, at


@inner()
def _insert(a, best, at):
    """at: where the smallest of the keys were, as many as it has places, in order and equal ones in theirs.

    Returns whether keys are equal of which the order, or which one is left out, matters. `best` is scratch.
    """
    k, n = at.size, a.size
    i = 0
    while i < n:
        if i >= k:
            worst = best[k - 1]
            while i + BLOCK <= n:  # of long rows few blocks have a key to insert: vectors find out
                some = False
                for lane in range(BLOCK):
                    some |= a[np.uint64(i + lane)] < worst
                if some:
                    break
                i += BLOCK
            while i < n and a[i] >= worst:
                i += 1
            if i == n:
                break
        key, j = a[i], smaller(i, k - 1)
        while j > 0 and key < best[j - 1]:
            best[j], at[j] = best[j - 1], at[j - 1]
            j -= 1
        best[j], at[j] = key, i
        i += 1
    equal, last = 0, best[k - 1]
    for j in range(1, k):
        equal += best[j] == best[j - 1]
    for i in range(n):
        equal += a[np.uint64(i)] == last
    return equal > 1


@njit(cache=True, nogil=True, error_model="numpy")
def insertion(keys, best, index, tied):
    """`_insert` for the keys of each row. Returns whether any row is tied."""
    some = False
    for row in range(keys.shape[0]):
        tied[row] = _insert(keys[row], best, index[row])
        some |= tied[row]
    return some


@njit(cache=True, nogil=True, error_model="numpy")
def insertion_of_floats(bits, flip, keys, best, index, ordered, tied):
    """The same of floats with these bits, and their elements at these places; keys is scratch for a row."""
    some = False
    for row in range(bits.shape[0]):
        given, at, made = bits[row], index[row], ordered[row]
        _put_keys(given, flip, keys)
        tied[row] = _insert(keys, best, at)
        some |= tied[row]
        for j in range(at.size):
            made[j] = given[np.uint64(at[j])]
    return some


@njit(cache=True, nogil=True, error_model="numpy")
def kth_rows(keys, scratch, k, index):
    """index[row]: where element k of the row in order was.

    Hoare's selection, the median of three put in place beforehand (Numerical Recipes, section 8.5), as in torch.
    """
    for row in range(keys.shape[0]):
        a = keys[row]
        for i in range(a.size):
            scratch[i] = i
        left, right = 0, a.size - 1
        while right > left:
            # what must not be in descending order, as pairs of places; the first pair is always exchanged
            for pair in range(4 if right > left + 1 else 1):
                low, high = (left + right) >> 1, left + 1
                if right == left + 1 or pair == 2:
                    low, high = left, right
                elif pair == 1:
                    low, high = left + 1, right
                elif pair == 3:
                    low, high = left + 1, left
                if a[high] < a[low] or (pair == 0 and right > left + 1):
                    a[low], a[high] = a[high], a[low]
                    scratch[low], scratch[high] = scratch[high], scratch[low]
            if right == left + 1:
                break
            i, j = left + 1, right
            pivot = a[left]
            while True:
                i += 1
                while a[i] < pivot:
                    i += 1
                j -= 1
                while pivot < a[j]:
                    j -= 1
                if j < i:
                    break
                a[i], a[j] = a[j], a[i]
                scratch[i], scratch[j] = scratch[j], scratch[i]
            a[left], a[j] = a[j], a[left]
            scratch[left], scratch[j] = scratch[j], scratch[left]
            if j <= k:
                left = i
            if j >= k:
                right = j - 1
        index[row] = scratch[k]
