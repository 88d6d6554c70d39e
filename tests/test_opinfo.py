"""Every op of torch's own database that is in minitorch's claim: see `opinfo.py` for what a row checks.

The ordinary run takes two samples of every fifth row, `-m slow` all samples of all rows. A row that fails is listed
in `opinfo_known.py` with the reason, and stays in the count that the summary prints; one that is listed and passes
fails the test.
"""

import zlib

import pytest
from opinfo import ROWS, Skip, check
from opinfo_known import KNOWN

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning")  # upsample and others, in torch too


def run(name, kind, limit):
    known = KNOWN.get((name, kind))
    try:
        check(name, kind, limit)
    except Skip as e:
        pytest.skip(str(e))
    except Exception as e:
        if known is None:
            raise
        pytest.xfail(f"{known}: {e}")
    return known


# by a checksum, so that neighbours in the list and kinds of one op fall into different fifths
SAMPLED = [row for row in ROWS if zlib.crc32(" ".join(row).encode()) % 5 == 0]


@pytest.mark.parametrize(("name", "kind"), SAMPLED, ids=lambda v: v.replace(" ", "_"))
def test_row(name, kind):
    run(name, kind, limit=2)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), ROWS, ids=lambda v: v.replace(" ", "_"))
def test_row_with_all_samples(name, kind):
    known = run(name, kind, limit=60)
    assert known is None, f"{name} {kind} passes: take it off the list of known failures"
