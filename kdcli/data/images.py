"""The user's own images: a folder for each class, or folders train, val and test with such folders."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kdcli.data.dataset import Sample
from kdcli.data.owned import Owned, check_memory, dataset_of, digest_of, pooled
from kdcli.data.pool import SPLITS
from kdcli.data.tables.splitting import SPLIT_OF
from kdcli.errors import Command, KdError, UsageError
from kdcli.progress import Watch, unwatched
from kdcli.settings import setting

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.data.tables.encoding import Encoded

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
MOST_PIXELS = 100_000_000  # that one image may have
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I")


@dataclass(frozen=True)
class Images(Owned):
    """Options of the user's own images."""

    file: str = setting("", "the folder with the images", metavar="FOLDER")
    image_size: int = setting(
        0, "scale images to N × N pixels; 0: they all have the same size", minimum=0, maximum=1024
    )
    grey: bool = setting(False, "convert colour images to grey")


class Found(NamedTuple):
    """An image that was found: its file, its class, and the split of its folder, or "rows"."""

    path: Path
    label: str
    part: str


def opened(config: Images, watch: Watch = unwatched) -> tuple[Images, Callable[[], Sample]]:
    """Find the images in the folder that the options name, as `Dataset.opened` says."""
    if not config.file:
        raise UsageError("name a folder of images", ("for example ", Command("gen-data", ("FOLDER",))))
    folder = Path(config.file).absolute()
    notes: list[str] = []
    found = find(folder, notes)
    places = [f"{image.part}/{image.label}" for image in found]
    digest = digest_of([image.path for image in found], config.digest, places)
    config = replace(config, file=str(folder), digest=digest).resolved(
        len(found), {image.part for image in found}
    )
    return config, lambda: _sample(config, found, notes, watch)


def find(folder: Path, notes: list[str]) -> list[Found]:
    """Return the images of a folder, in the order of their names; `notes` get the files that are none."""
    inner = _folders(folder)
    named = {path: SPLIT_OF.get(path.name.lower()) for path in inner}
    if any(named.values()):
        if odd := [path.name for path, split in named.items() if split is None]:
            raise KdError(
                f"{folder} has folders of splits and also other folders: {', '.join(odd)}",
                "move the others elsewhere",
            )
        classes = [(path, split or "") for outer, split in named.items() for path in _folders(outer)]
    else:
        classes = [(path, "rows") for path in inner]
    found, passed = [], []
    for path, part in classes:
        files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        images = [file for file in files if file.suffix.lower() in SUFFIXES and file.is_file()]
        passed += [file for file in files if file not in images]
        if not images:
            raise KdError(f"{path} stands for a class, but has no images", "move it elsewhere")
        found += [Found(file, path.name, part) for file in images]
    if not found:
        raise KdError(f"{folder} has no folders of images", "it needs a folder for each class")
    if passed:
        some = ", ".join(file.name for file in passed[:3])
        notes.append(f"{len(passed)} files that are no images were passed over: {some}")
    order = ("rows", *SPLITS)
    return sorted(found, key=lambda image: (order.index(image.part), image.path.name, image.label))


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise KdError(f"cannot read {folder}: {error.strerror}", "name a folder of images") from None


def _sample(config: Images, found: Sequence[Found], notes: list[str], watch: Watch) -> Sample:
    read = list(_read_all(config, found, watch))
    x = _stacked(found, read, grey=config.grey or all(pixels.ndim == 2 for pixels in read))
    pool, classes, drawing = pooled(
        config,
        x,
        [image.label for image in found],
        [image.part.replace("train", "rows") for image in found],
        "the folder",
    )
    return Sample(pool, classes, notes=tuple(notes), drawing=drawing)


def further(
    config: Images,
    path: Path,
    shape: Sequence[int],
    encodings: Sequence[Encoded],
    names: Sequence[str],
    watch: Watch,
) -> tuple[None, Tensor]:
    """Read images without labels from a folder, as `Further` says."""
    files = images_in(path)
    if not files:
        raise KdError(f"{path} has no images", f"images end in {', '.join(SUFFIXES)}")
    found = [Found(file, "", "rows") for file in files]
    x = _stacked(found, list(_read_all(config, found, watch)), grey=len(shape) == 2)
    if x.shape[1:] != tuple(shape):
        raise KdError(
            f"the images in {path} have the shape {tuple(x.shape[1:])}, but those of the data {tuple(shape)}",
            "they must have the same rows, columns and colour channels",
        )
    return None, x


def images_in(folder: Path) -> list[Path]:
    """Return the images in a folder and the folders in it, in the order of their names."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())


def _stacked(found: Sequence[Found], read: Sequence[Tensor], *, grey: bool) -> Tensor:
    """Return images as one tensor; unless all are `grey`, grey ones get three equal colour channels."""
    import torch

    shapes: dict[Any, Path] = {}
    for image, pixels in zip(found, read, strict=True):
        shapes.setdefault(pixels.shape[-2:], image.path)
    if len(shapes) > 1:
        (size, first), (other, second) = list(shapes.items())[:2]
        raise KdError(
            f"the images have different sizes: {first.parent.name}/{first.name} {size[0]} × {size[1]} "
            f"pixels, {second.parent.name}/{second.name} {other[0]} × {other[1]}",
            "--image-size N scales all of them",
        )
    return torch.stack([pixels if grey or pixels.ndim == 3 else pixels.expand(3, -1, -1) for pixels in read])


def _read_all(config: Images, found: Sequence[Found], watch: Watch) -> Iterator[Tensor]:
    """Read the images; raises `KdError` if memory is too small for them, all as large as the first."""
    with watch(f"reading {Path(config.file).name}", len(found), "image", 1) as report:
        for k, image in enumerate(found):
            pixels = _read(image.path, config)
            if k == 0:
                needed = 2 * len(found) * pixels.numel()  # the single images, and then one tensor of all
                check_memory(
                    f"reading {len(found):,} images",
                    needed,
                    "--image-size N scales all of them to N × N pixels",
                )
            report(k + 1, None)
            yield pixels


def _read(path: Path, config: Images) -> Tensor:
    """Read an image as uint8, `(rows, columns)` if it is grey, else `(3, rows, columns)`."""
    import numpy as np
    import torch
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large images, which are checked below
            with Image.open(path) as found:
                if found.width * found.height > MOST_PIXELS:
                    raise KdError(
                        f"{path} has {found.width:,} × {found.height:,} pixels", "scale it down first"
                    )
                image: Any = ImageOps.exif_transpose(found)
                if image.mode in SIXTEEN_BITS:
                    wide = np.asarray(image).astype(np.float64)
                    image = Image.fromarray((wide / 257).round().clip(0, 255).astype(np.uint8))
                image = _without_transparency(image)
                colours = not config.grey and image.mode not in ("1", "L")
                image = image.convert("RGB" if colours else "L")
                if config.image_size:
                    image = image.resize((config.image_size, config.image_size), Image.Resampling.BILINEAR)
                pixels = torch.from_numpy(np.array(image))
    except KdError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise KdError(
            f"{path} is damaged, or not an image: {error}", "fetch it again, or move it elsewhere"
        ) from None
    return pixels.movedim(-1, 0).contiguous() if pixels.ndim == 3 else pixels


def _without_transparency(image: Any) -> Any:
    """Return an image with a white background in place of transparency."""
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        flat = Image.alpha_composite(white, rgba)
        return flat.convert("L" if image.mode == "LA" else "RGB")
    return image


DATASET = dataset_of("images of your own: a folder for each class", Images, opened, further=further)
