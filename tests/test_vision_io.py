"""minitorch.vision.io: files become the numbers that Pillow finds in them; damaged ones are named."""

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
    with pytest.raises(NotImplementedError, match="16 bits"):
        io.read_image(tmp_path / "x.png", "RGB")


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
