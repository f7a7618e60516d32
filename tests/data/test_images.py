from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.made import CLASSES, labelled_pixels, own_arrays, own_images, written
from harness import idx_images, idx_labels
from PIL import Image

from kdcli.data import SPLITS, Sample, arrays, find_dataset
from kdcli.data.images import Images, opened
from kdcli.errors import KdError, UsageError

X, Y = labelled_pixels()
ORIENTATION = 0x0112


def read(folder: str = "own", **options: Any) -> Sample:
    return opened(Images(**{"file": folder, "draws": 1, **options}))[1]()


def folder_with(image: Image.Image, name: str = "00.png", **saving: Any) -> str:
    """Write the sixty images, with another one as the first."""
    folder = own_images()
    Path(folder, "cat", "00.png").unlink()
    image.save(Path(folder, "cat", name), **saving)
    return folder


def first(image: Image.Image, name: str = "00.png", saving: Any = None, **options: Any) -> torch.Tensor:
    """Return the pixels of an image among the sixty."""
    return read(folder_with(image, name, **(saving or {})), **options).pool.x[0]


def test_grey_images_come_in_the_order_of_their_names_with_the_classes_of_their_folders() -> None:
    sample = read(own_images())
    assert (sample.pool.x.dtype, sample.classes, sample.notes) == (torch.uint8, CLASSES, ())
    assert np.array_equal(sample.pool.x.numpy(), X)
    assert sample.pool.y.tolist() == Y.tolist()


def test_a_folder_gives_the_same_examples_and_splits_as_the_same_images_in_npz_and_idx() -> None:
    pool = read(own_images(), draws=2).pool
    other = arrays.opened(arrays.Arrays(file=own_arrays(), draws=2))[1]().pool
    assert torch.equal(pool.x, other.x)
    assert torch.equal(pool.y, other.y)
    assert all(torch.equal(pool.index[split], other.index[split]) for split in SPLITS)
    mnist = find_dataset("mnist")
    files = {}
    for part, rows in (("train", slice(0, 48)), ("t10k", slice(48, 60))):
        files[f"{part}-images-idx3-ubyte"] = idx_images(torch.from_numpy(X[rows]))
        files[f"{part}-labels-idx1-ubyte"] = idx_labels(torch.from_numpy(Y[rows]))
    idx = mnist.sample(mnist.config(draws=2, n_val=10), files).pool
    for k, path in enumerate(sorted(Path("own").glob("*/*.png"), key=lambda path: path.name)):
        target = Path("parts", "test" if k >= 48 else "train", path.parent.name, path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    parts = read("parts", draws=2)
    assert parts.drawing == "test kept"
    assert torch.equal(parts.pool.x.float(), idx.x.float() * (255 if idx.x.is_floating_point() else 1))
    assert torch.equal(parts.pool.y, idx.y)
    assert torch.equal(parts.pool.index["test"], idx.index["test"])
    assert torch.equal(parts.pool.index["val"], idx.index["val"])


def test_colours_make_all_images_of_three_channels_unless_grey_is_asked_for() -> None:
    red = Image.new("RGB", (6, 6), (255, 0, 7))
    x = read(folder_with(red)).pool.x
    assert x.shape == (60, 3, 6, 6)
    assert x[0, :, 2, 3].tolist() == [255, 0, 7]
    assert all(np.array_equal(x[1, channel].numpy(), X[1]) for channel in range(3))
    grey = first(red, grey=True)
    assert grey.shape == (6, 6)
    assert grey.unique().tolist() == [round(0.299 * 255 + 0.114 * 7)]


def test_a_palette_is_resolved_and_black_and_white_is_0_and_255() -> None:
    palette = Image.new("P", (6, 6), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert first(palette)[:, 0, 0].tolist() == [10, 20, 30]
    assert first(Image.new("1", (6, 6), 1)).unique().tolist() == [255]


def test_sixteen_bits_are_scaled_to_eight() -> None:
    wide = Image.fromarray(np.full((6, 6), 257 * 100 + 20, dtype=np.uint16))
    assert first(wide).unique().tolist() == [100]
    assert first(wide, "00.tif").unique().tolist() == [100]


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (6, 6), (200, 100, 0, 0))
    clear.putpixel((0, 0), (200, 100, 0, 255))
    pixels = first(clear)
    assert pixels[:, 0, 0].tolist() == [200, 100, 0]
    assert pixels[:, 3, 3].tolist() == [255, 255, 255]
    grey = Image.new("LA", (6, 6), (9, 0))
    assert first(grey).unique().tolist() == [255]
    assert first(grey).ndim == 2


def test_a_rotation_in_the_exif_data_is_done() -> None:
    image = Image.fromarray(np.arange(36, dtype=np.uint8).reshape(6, 6))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by 90 degrees, clockwise
    turned = first(image, saving={"exif": exif})
    assert np.array_equal(turned.numpy(), np.rot90(np.arange(36).reshape(6, 6), -1))


def test_other_sizes_are_refused_by_name_unless_all_are_scaled() -> None:
    large = Image.new("L", (12, 8), 77)
    with pytest.raises(KdError, match=r"cat/00\.png 8 × 12 pixels, dog/01\.png 6 × 6") as problem:
        first(large)
    assert "--image-size" in problem.value.hint
    sample = read(folder_with(large), image_size=3)
    assert sample.pool.x.shape == (60, 3, 3)
    assert sample.pool.x[0].unique().tolist() == [77]


def test_other_files_are_passed_over_and_told_and_hidden_ones_are_not_even_told() -> None:
    folder = own_images()
    written("own/cat/notes.txt", "x")
    written("own/.DS_Store", "x")
    written("own/dog/.hidden.png", "x")
    written("own/.cache/x.png", "x")
    written("own/readme.md", "x")
    Path("own/dog/more").mkdir()
    sample = read(folder)
    assert len(sample.pool.y) == 60
    assert sample.notes == ("2 files that are no images were passed over: notes.txt, more",)


@pytest.mark.parametrize("name", ["00.png", "00.jpg", "00.gif", "00.bmp", "00.webp"])
def test_a_truncated_image_is_refused_by_name(name: str) -> None:
    random = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    folder = folder_with(Image.fromarray(random), name)
    path = Path(folder, "cat", name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(KdError, match=f"{name} is damaged, or not an image"):
        read(folder, image_size=6)


def test_what_is_no_image_is_refused_by_name() -> None:
    own_images()
    for content in (b"", b"text"):
        written("own/cat/00.png", content)
        with pytest.raises(KdError, match=r"00\.png is damaged, or not an image"):
            read()


def test_a_folder_that_is_none_of_classes_is_refused() -> None:
    with pytest.raises(UsageError, match="name a folder of images"):
        opened(Images())
    with pytest.raises(KdError, match=r"cannot read .*nothing"):
        read("nothing")
    Path("empty").mkdir()
    with pytest.raises(KdError, match="has no folders of images"):
        read("empty")
    own_images()
    Path("own/emu").mkdir()
    with pytest.raises(KdError, match="emu stands for a class, but has no images"):
        read()
    Path("own/emu").rename("own/train")
    with pytest.raises(KdError, match="has folders of splits and also other folders: cat, dog, fox"):
        read()


def test_an_image_of_another_class_is_another_content() -> None:
    config = opened(Images(file=own_images()))[0]
    Path("own/cat/00.png").rename("own/dog/00.png")
    with pytest.raises(KdError, match="SHA-256 differs"):
        opened(config)


def test_another_image_is_another_content() -> None:
    config = opened(Images(file=own_images()))[0]
    assert config.draws == 10
    assert opened(config)[0] == config
    Image.fromarray(X[1]).save("own/cat/00.png")
    with pytest.raises(KdError, match="SHA-256 differs"):
        opened(config)
