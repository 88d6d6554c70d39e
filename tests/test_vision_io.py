"""torchvision.io: files of pictures read as Pillow reads them. (torchvision's own decoders do not load everywhere.)"""

import io

import numpy as np
import pytest
import torchvision
from PIL import Image

import minitorch
from minitorch.vision.io import (
    ImageReadMode,
    decode_gif,
    decode_image,
    decode_jpeg,
    decode_png,
    encode_jpeg,
    encode_png,
    read_file,
    read_image,
    write_jpeg,
    write_png,
)
from minitorch.vision.io import image as ours


def picture(mode="RGB", size=(5, 4)):
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], bands), dtype=np.uint8)
    return Image.fromarray(pixels if bands > 1 else pixels[..., 0])


def file_of(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return minitorch.frombuffer(bytearray(stream.getvalue()), dtype=minitorch.uint8)


def channels_first(image):
    array = np.array(image)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def test_the_names_are_torchvisions():
    assert set(minitorch.vision.io.__all__) == set(torchvision.io.__all__)
    assert {m.name: m.value for m in ImageReadMode} == {m.name: m.value for m in torchvision.io.ImageReadMode}
    assert ImageReadMode.RGBA is ImageReadMode.RGB_ALPHA


@pytest.mark.parametrize("source", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(("mode", "pillows"), [("GRAY", "L"), ("gray_alpha", "LA"), ("RGB", "RGB"), ("rgba", "RGBA")])
def test_png_is_read_in_the_channels_wanted(source, mode, pillows):
    image = picture(source)
    data = file_of(image)
    np.testing.assert_array_equal(decode_image(data, mode=mode).numpy(), channels_first(image.convert(pillows)))
    np.testing.assert_array_equal(decode_png(data).numpy(), channels_first(image))
    np.testing.assert_array_equal(decode_png(data, ImageReadMode[mode.upper()]), decode_image(data, mode=mode))


def test_palettes_and_bits_are_expanded_and_sixteen_bits_kept():
    image = picture().quantize(8)
    np.testing.assert_array_equal(decode_png(file_of(image)).numpy(), channels_first(image.convert("RGB")))
    bits = picture("L").convert("1")
    assert set(decode_png(file_of(bits)).flatten().tolist()) <= {0, 255}
    wide = Image.fromarray(np.array([[0, 300], [65535, 7]], np.uint16))
    read = decode_png(file_of(wide))
    assert read.dtype is minitorch.uint16
    assert read.tolist() == [[[0, 300], [65535, 7]]]


def test_gifs_have_a_dimension_for_several_pictures():
    pictures = [picture("L").convert("P"), picture("L").rotate(180).convert("P")]
    one, two = file_of(pictures[0], "GIF"), file_of(pictures[0], "GIF", save_all=True, append_images=pictures[1:])
    assert decode_gif(one).shape == (3, 4, 5)
    assert decode_gif(two).shape == decode_image(two).shape == (2, 3, 4, 5)


def test_a_turned_photograph_is_turned_back_only_if_asked():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file_of(picture(size=(16, 8)), "JPEG", exif=exif)
    assert decode_jpeg(data).shape == (3, 8, 16)
    assert decode_image(data, apply_exif_orientation=True).shape == (3, 16, 8)


def test_files_are_written_and_read_again(tmp_path):
    x = minitorch.arange(3 * 4 * 5, dtype=minitorch.uint8).reshape(3, 4, 5)
    write_png(x, tmp_path / "a.png")
    assert minitorch.equal(read_image(str(tmp_path / "a.png")), x)
    assert minitorch.equal(decode_image(tmp_path / "a.png", "GRAY"), decode_png(encode_png(x, 0), "GRAY"))
    write_jpeg(x, tmp_path / "a.jpg", quality=95)
    assert minitorch.equal(read_file(tmp_path / "a.jpg"), encode_jpeg(x, 95))
    assert (read_image(tmp_path / "a.jpg").float() - x).abs().mean() < 4
    first, second = decode_jpeg([encode_jpeg(t) for t in (x, x[:1])])
    assert first.shape == (3, 4, 5)
    assert second.shape == (1, 4, 5)


X = minitorch.zeros(3, 4, 5, dtype=minitorch.uint8)
WRONG = {
    "no file": (
        lambda: read_image("nowhere.png"),
        RuntimeError,
        r"\[Errno 2\] No such file or directory: 'nowhere.png'",
    ),
    "no picture": (
        lambda: decode_image(minitorch.ones(9, dtype=minitorch.uint8)),
        RuntimeError,
        "Unsupported or damaged",
    ),
    "cut off": (lambda: decode_png(file_of(picture())[:70]), RuntimeError, "Unsupported or damaged"),
    "another format": (lambda: decode_jpeg(encode_png(X)), RuntimeError, "Only jpeg can be read here"),
    "floats": (lambda: decode_image(minitorch.ones(9)), RuntimeError, "Expected a torch.uint8 tensor"),
    "empty": (lambda: decode_image(X[:0, 0, 0]), RuntimeError, "Expected a non empty 1-dimensional tensor"),
    "two channels": (lambda: encode_png(X[:2]), RuntimeError, "The number of channels should be 1 or 3, got: 2"),
    "flat": (lambda: encode_png(X[0]), RuntimeError, "Input data should be a 3-dimensional tensor"),
    "floats to write": (lambda: encode_jpeg(X.float()), RuntimeError, "Input tensor dtype should be uint8"),
    "quality": (lambda: encode_jpeg(X, 0), ValueError, "Image quality should be a positive number between 1 and 100"),
    "level": (lambda: encode_png(X, 10), RuntimeError, "Compression level should be between 0 and 9"),
    "empty list": (lambda: encode_jpeg([]), ValueError, "at least one input tensor"),
    "nothing": (lambda: decode_jpeg([]), ValueError, "Input list must contain at least one element"),
    "heic": (lambda: ours.decode_heic(X), NotImplementedError, "decode_heic"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_say_what_is_wrong(name):
    call, kind, message = WRONG[name]
    with pytest.raises(kind, match=message):
        call()
