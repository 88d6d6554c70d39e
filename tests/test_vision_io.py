"""minitorch.vision.io: files become the numbers that Pillow finds in them; damaged ones are named."""

import struct
import zlib

import numpy as np
import pytest
import torchvision
import vision_compare as vc
from PIL import Image

import minitorch
from minitorch.vision import io


def image(mode="RGB"):
    return vc.picture(mode="RGB" if mode in ("P", "1", "LA") else mode).convert(mode)


def expected(picture):
    array = np.asarray(picture)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


CONVERTED = {"GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA", "RGBA": "RGBA"}


@pytest.mark.parametrize("pil_mode", ["RGB", "L", "RGBA", "LA", "P", "1"])
@pytest.mark.parametrize("mode", ["UNCHANGED", *CONVERTED])
def test_png_files_of_every_mode(pil_mode, mode, tmp_path):
    picture = image(pil_mode)
    picture.save(tmp_path / "x.png")
    unchanged = {"P": "RGB", "1": "L"}.get(pil_mode, pil_mode)
    want = expected(picture.convert(CONVERTED.get(mode, unchanged)))
    assert (io.read_image(tmp_path / "x.png", io.ImageReadMode[mode]).numpy() == want).all()
    assert (io.decode_png(io.read_file(str(tmp_path / "x.png")), mode.lower()).numpy() == want).all()


def test_jpeg_files(tmp_path):
    path = tmp_path / "x.jpg"
    image().save(path)
    with Image.open(path) as picture:
        assert (io.read_image(str(path)).numpy() == expected(picture)).all()
    with Image.open(path) as picture:
        picture.draft("L", None)
        assert (io.decode_image(path, "gray").numpy() == expected(picture)).all()
    both = io.decode_jpeg([io.read_file(path)] * 2)
    assert len(both) == 2 and (both[0] == both[1]).all()


def test_orientation_is_applied_on_request(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    image().save(tmp_path / "x.jpg", exif=exif)
    assert io.read_image(tmp_path / "x.jpg").shape == (3, 40, 52)
    assert io.read_image(tmp_path / "x.jpg", apply_exif_orientation=True).shape == (3, 52, 40)


def test_gif_files_have_frames(tmp_path):
    frames = [image(), image().transpose(Image.Transpose.ROTATE_180)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "one.gif")
    assert io.read_image(tmp_path / "x.gif").shape == (2, 3, 40, 52)
    assert io.decode_gif(io.read_file(tmp_path / "one.gif")).shape == (3, 40, 52)


def test_png_of_16_bits(tmp_path):
    values = (np.arange(12, dtype=np.uint16) * 5000).reshape(3, 4)
    Image.fromarray(values).save(tmp_path / "x.png")
    read = io.read_image(tmp_path / "x.png")
    assert read.dtype == minitorch.uint16 and (read[0].numpy() == values).all()


WIDE = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def filtered(image, first):
    """The rows of an image (H, W, C), each by another of PNG's filters, as the standard writes them down."""
    pixel = 2 * image.shape[2]
    rows = [list(row.astype(">u2").tobytes()) for row in image]
    above, out = [0] * len(rows[0]), b""
    for number, row in enumerate(rows):
        kind = (number + first) % 5
        out += bytes([kind])
        for k, value in enumerate(row):
            a, b, c = (row[k - pixel], above[k], above[k - pixel]) if k >= pixel else (0, above[k], 0)
            nearest = min((a, b, c), key=lambda v: abs(a + b - c - v))
            out += bytes([(value - (0, a, b, (a + b) // 2, nearest)[kind]) % 256])
        above = row
    return out


def write_wide_png(path, image, interlaced=False, extra=()):
    """A PNG file of 16 bits of an image (H, W, C)."""
    height, width, channels = image.shape
    parts = [image[y::down, x::right] for x, y, right, down in PASSES] if interlaced else [image]
    data = zlib.compress(b"".join(filtered(part, i) for i, part in enumerate(parts) if part.size))
    header = struct.pack(">IIBBBBB", width, height, 16, WIDE[channels], 0, 0, interlaced)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", data[:50]), (b"IDAT", data[50:]), (b"IEND", b"")]
    packed = [struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", WIDE)
def test_png_of_16_bits_in_every_color_type(channels, interlaced, tmp_path):
    rng = np.random.default_rng(channels)
    for height, width in ((11, 9), (1, 1), (3, 2), (40, 20)):
        values = rng.integers(0, 2**16, (height, width, channels), np.uint16)
        write_wide_png(tmp_path / "x.png", values, interlaced)
        read = io.read_image(tmp_path / "x.png")
        assert read.dtype == minitorch.uint16 and (read.numpy() == values.transpose(2, 0, 1)).all()
        if channels > 2:  # the eight bits that Pillow reads are the upper ones
            assert (read.numpy() >> 8 == expected(Image.open(tmp_path / "x.png"))).all()


@pytest.mark.parametrize("channels", WIDE)
def test_png_of_16_bits_in_other_channels(channels, tmp_path):
    values = np.random.default_rng(0).integers(0, 2**16, (5, 6, channels), np.uint16)
    values[0, :, :3] = 40000
    write_wide_png(tmp_path / "x.png", values)
    read = {mode: io.read_image(tmp_path / "x.png", mode).numpy() for mode in ("GRAY", "GRAY_ALPHA", "RGB", "RGBA")}
    assert [x.shape[0] for x in read.values()] == [1, 2, 3, 4]
    alpha = values[..., -1] if channels in (2, 4) else 65535
    assert (read["RGBA"][3] == alpha).all() and (read["GRAY_ALPHA"][1] == alpha).all()
    colors = np.repeat(values[..., :1], 3, 2) if channels < 3 else values[..., :3]
    assert (read["RGB"] == colors.transpose(2, 0, 1)).all() and (read["RGBA"][:3] == read["RGB"]).all()
    luma = colors @ [0.2989, 0.587, 0.1141]
    assert np.abs(read["GRAY"][0] - luma).max() < 4 and (read["GRAY"][0, 0] == 40000).all()
    assert (read["GRAY"][0] == read["GRAY_ALPHA"][0]).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_png_of_16_bits_is_turned_as_one_of_8(orientation, tmp_path):
    exif = Image.Exif()
    exif[274] = orientation
    values = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "narrow.png", exif=exif)
    extra = [(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))]
    write_wide_png(tmp_path / "wide.png", values.astype(np.uint16), extra=extra)
    narrow, wide = (io.read_image(tmp_path / f"{n}.png", apply_exif_orientation=True) for n in ("narrow", "wide"))
    assert (narrow.numpy() == wide.numpy()).all()


def test_damaged_png_of_16_bits_is_named(tmp_path):
    values = np.random.default_rng(0).integers(0, 2**16, (20, 20, 3), np.uint16)
    path = tmp_path / "x.png"
    write_wide_png(path, values)
    whole = path.read_bytes()
    for damaged, why in ((whole[:-100], "ends before|is damaged"), (whole[:900] + b"?" + whole[901:], "is damaged")):
        path.write_bytes(damaged)
        with pytest.raises(RuntimeError, match=rf"x\.png' cannot be decoded: .*({why})"):
            io.read_image(path)
    write_wide_png(path, values, extra=[(b"tRNS", bytes(6))])
    assert io.read_image(path, "RGB").shape == (3, 20, 20)
    with pytest.raises(NotImplementedError, match="transparent colour"):
        io.read_image(path, "RGBA")


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_again(channels, tmp_path):
    x, _ = vc.tensors(channels=channels)
    io.write_png(x, tmp_path / "x.png", compression_level=1)
    assert (io.read_image(tmp_path / "x.png") == x).all()
    io.write_jpeg(x, str(tmp_path / "x.jpg"), quality=100)
    assert (io.read_image(tmp_path / "x.jpg").int() - x.int()).abs().float().mean() < 10
    assert len(io.encode_jpeg(x, 20)) < len(io.encode_jpeg(x, 90))
    assert len(io.encode_jpeg([x, x])) == 2


def test_files_of_bytes(tmp_path):
    io.write_file(tmp_path / "x", minitorch.tensor([1, 2, 250], dtype=minitorch.uint8))
    assert (tmp_path / "x").read_bytes() == bytes([1, 2, 250])
    assert io.read_file(tmp_path / "x").tolist() == [1, 2, 250]


DAMAGED = {
    "text": (b"no picture at all", "is no JPEG or PNG or GIF or WEBP image"),
    "cut": (None, "cannot be decoded: .*truncated"),
    "empty": (b"", "Expected a non empty file"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_named(name, tmp_path):
    image().save(tmp_path / "whole.png")
    content, text = DAMAGED[name]
    (tmp_path / "bad.png").write_bytes((tmp_path / "whole.png").read_bytes()[:900] if content is None else content)
    with pytest.raises(RuntimeError, match=text) as caught:
        io.read_image(tmp_path / "bad.png")
    assert "bad.png" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"\[Errno 2\] No such file or directory: '.*nothing\.png'"):
        io.read_image(tmp_path / "nothing.png")


WRONG = {
    "dtype": (lambda: io.encode_png(minitorch.zeros(3, 2, 2)), "Input tensor dtype should be uint8"),
    "dimensions": (lambda: io.encode_png(minitorch.zeros(2, 2).byte()), "should be a 3-dimensional tensor"),
    "channels": (lambda: io.encode_jpeg(minitorch.zeros(2, 2, 2).byte()), "should be 1 or 3, got: 2"),
    "level": (lambda: io.encode_png(minitorch.zeros(3, 2, 2).byte(), 10), "between 0 and 9"),
    "quality": (lambda: io.encode_jpeg(minitorch.zeros(3, 2, 2).byte(), 0), "between 1 and 100"),
    "no images": (lambda: io.encode_jpeg([]), "requires at least one input tensor"),
    "no bytes": (lambda: io.decode_jpeg([]), "must contain at least one element"),
    "bytes": (lambda: io.decode_png(minitorch.zeros(3)), "1-dimensional tensor of dtype uint8"),
    "avif": (lambda: io.decode_avif(minitorch.zeros(3).byte()), "AVIF images are not supported"),
    "heic": (lambda: io.decode_heic(minitorch.zeros(3).byte()), "HEIC images are not supported"),
    "video": (lambda: io.read_video("x.mp4"), "read_video: videos are not supported"),
    "reader": (lambda: io.VideoReader("x.mp4"), "VideoReader: videos are not supported"),
    "device": (lambda: io.decode_jpeg(minitorch.zeros(3).byte(), device="cuda"), "on the CPU only"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_call_says_what_is_wrong(name):
    call, text = WRONG[name]
    with pytest.raises((RuntimeError, ValueError), match=text):
        call()


def test_public_names_are_torchvisions():
    assert [name for name in torchvision.io.__all__ if not hasattr(io, name)] == []
    assert [m.name for m in io.ImageReadMode] == [m.name for m in torchvision.io.ImageReadMode]
