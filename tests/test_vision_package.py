"""minitorch.vision itself: what its import loads, its version, its backends."""

import subprocess
import sys

import pytest
import torchvision

import minitorch.vision as vision


def test_import_loads_no_part_and_neither_numba_nor_pillow():
    program = (
        "import sys, minitorch.vision as v; "
        "print(sorted(m for m in sys.modules if m in ('numba', 'PIL', 'torch') or m.startswith('minitorch.vision.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_is_torchvisions_with_a_local_part():
    assert vision.__version__.split("+") == [torchvision.__version__.split("+")[0], "minitorch"]


def test_backends_have_torchvisions_names():
    assert vision.get_image_backend() == torchvision.get_image_backend()
    assert vision.get_video_backend() == torchvision.get_video_backend()


def test_unknown_image_backend_is_refused_in_torchvisions_words():
    with pytest.raises(ValueError) as ours:
        vision.set_image_backend("cv2")
    with pytest.raises(ValueError) as theirs:
        torchvision.set_image_backend("cv2")
    assert str(ours.value) == str(theirs.value)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        vision.nothing  # noqa: B018
