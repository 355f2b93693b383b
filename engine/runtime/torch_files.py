"""Reads a FunASR model folder without FunASR and torch: config.yaml, am.mvn (CMVN) and model.pt.

Torch's files are pickles, which may run any code: the unpickler here makes arrays and refuses everything else.
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
CMVN = "am.mvn"
WEIGHTS = "model.pt"

_DTYPES = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8"}


def read_settings(folder: Path, schema: type[Settings]) -> Settings:
    """Read the fields of `schema` from config.yaml.

    Raises:
        OSError: It is missing.
        ValueError: It is damaged, or does not fit the schema.
    """
    try:
        found = yaml.safe_load((folder / SETTINGS).read_text(encoding="utf-8"))
    except yaml.YAMLError as damaged:
        raise ValueError(f"{SETTINGS} is damaged") from damaged
    try:
        return schema.model_validate(found)
    except ValidationError as unfit:
        first = unfit.errors()[0]
        raise ValueError(f"{SETTINGS}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from unfit


def read_cmvn(folder: Path) -> tuple[Floats, Floats]:
    """Read the mean and variance normalisation from am.mvn: (features + shift) * scale, each float32 [features].

    Raises:
        OSError: It is missing.
        ValueError: It is damaged.
    """
    text = (folder / CMVN).read_text(encoding="utf-8")
    return _parse_row(text, "AddShift"), _parse_row(text, "Rescale")


def read_weights(folder: Path, name: str = WEIGHTS) -> dict[str, Floats]:
    """Read the float32 arrays of model.pt, or of another file of torch's, by name.

    Raises:
        OSError: It is missing.
        ValueError: It is damaged, or holds anything but arrays.
    """
    with (folder / name).open("rb") as file:
        try:
            return _unpickle(file)
        except Exception as damaged:  # a pickle that is none may raise anything
            raise ValueError(f"{name} is damaged") from damaged


def _parse_row(text: str, name: str) -> Floats:
    found = re.search(rf"<{name}>[^\[]*\[([^\]]*)\]", text)
    if found is None:
        raise ValueError(f"{CMVN} is damaged")
    return np.array(found.group(1).split(), dtype=np.float32)


def _unpickle(file: IO[bytes]) -> dict[str, Floats]:
    with zipfile.ZipFile(file) as archive:
        [index] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        with archive.open(index) as pickled:
            arrays = _ArrayUnpickler(pickled, archive, index.removesuffix("data.pkl")).load()
    return {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds the arrays of a torch file, and refuses every other class."""

    def __init__(self, pickled: IO[bytes], archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(pickled)
        self._archive = archive
        self._root = root

    def find_class(self, module: str, name: str) -> object:
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _rebuild_array
            case "torch", str() if name in _DTYPES:
                return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no array")

    def persistent_load(self, storage: tuple[str, str, str, str, int]) -> NDArray[np.generic]:
        _, dtype, key, _, _ = storage
        return np.frombuffer(self._archive.read(f"{self._root}data/{key}"), dtype=dtype)


def _rebuild_array(
    storage: NDArray[np.generic], offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> NDArray[np.generic]:
    """Return a view of a storage, as `torch._utils._rebuild_tensor_v2` does."""
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if min((offset, *size, *stride)) < 0 or last >= len(storage):
        raise pickle.UnpicklingError("an array reaches beyond its storage")
    return as_strided(storage[offset:], size, [step * storage.itemsize for step in stride])
