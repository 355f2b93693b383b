"""Reads the files of a FunASR model folder, settings, statistics and weights, without FunASR and torch.

Knows no network. Torch's files are pickles, and those may run anything: here they may make arrays and nothing else.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import yaml
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

Floats = NDArray[np.float32]
Settings = TypeVar("Settings", bound=BaseModel)

SETTINGS = "config.yaml"
STATISTICS = "am.mvn"
WEIGHTS = "model.pt"

_DTYPES = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8"}


def read_settings(folder: Path, shape: type[Settings]) -> Settings:
    """Read of `config.yaml` what `shape` asks for.

    Raises:
        OSError: it is missing.
        ValueError: it is damaged, or asks for something else.
    """
    try:
        found = yaml.safe_load((folder / SETTINGS).read_text(encoding="utf-8"))
    except yaml.YAMLError as damaged:
        raise ValueError(f"{SETTINGS} is damaged") from damaged
    try:
        return shape.model_validate(found)
    except ValidationError as unfit:
        first = unfit.errors()[0]
        raise ValueError(f"{SETTINGS}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from unfit


def read_statistics(folder: Path) -> tuple[Floats, Floats]:
    """Read from `am.mvn` what is added to features, and what they are multiplied by then.

    Raises:
        OSError: it is missing.
        ValueError: it is damaged.
    """
    text = (folder / STATISTICS).read_text(encoding="utf-8")
    return _numbers(text, "AddShift"), _numbers(text, "Rescale")


def read_weights(folder: Path, name: str = WEIGHTS) -> dict[str, Floats]:
    """Read the arrays in `model.pt`, or in another file of torch's, by their names.

    Raises:
        OSError: it is missing.
        ValueError: it is damaged, or holds something else.
    """
    with (folder / name).open("rb") as file:
        try:
            return _unpickled(file)
        except Exception as damaged:  # a pickle that is none may raise anything
            raise ValueError(f"{name} is damaged") from damaged


def _numbers(text: str, name: str) -> Floats:
    found = re.search(rf"<{name}>[^\[]*\[([^\]]*)\]", text)
    if found is None:
        raise ValueError(f"{STATISTICS} is damaged")
    return np.array(found.group(1).split(), dtype=np.float32)


def _unpickled(file: IO[bytes]) -> dict[str, Floats]:
    with zipfile.ZipFile(file) as archive:
        [index] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        with archive.open(index) as pickled:
            arrays = _Arrays(pickled, archive, index.removesuffix("data.pkl")).load()
    return {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}


class _Arrays(pickle.Unpickler):
    """Makes what a file of torch's describes; whatever else it asks for is refused."""

    def __init__(self, pickled: IO[bytes], archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(pickled)
        self._archive = archive
        self._root = root

    def find_class(self, module: str, name: str) -> object:
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _array
            case "torch", str() if name in _DTYPES:
                return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no array")

    def persistent_load(self, storage: tuple[str, str, str, str, int]) -> NDArray[np.generic]:
        _, dtype, key, _, _ = storage
        return np.frombuffer(self._archive.read(f"{self._root}data/{key}"), dtype=dtype)


def _array(
    storage: NDArray[np.generic], offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> NDArray[np.generic]:
    """Take the array that begins at `offset` out of a storage."""
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if min((offset, *size, *stride)) < 0 or last >= len(storage):
        raise pickle.UnpicklingError("an array reaches beyond its storage")
    return as_strided(storage[offset:], size, [step * storage.itemsize for step in stride])
