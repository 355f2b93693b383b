"""Defers building aiogram's 600 pydantic models from import to first use, which saves seconds at every start.

aiogram's models ask pydantic to build them later (`defer_build`), but the end of aiogram's import rebuilds all of
them, because only there are the names known that their annotations mention. This module replaces `model_rebuild`: it
puts those names into the model's module, where pydantic finds them when the model is first used, also inside another
model. The same holds for methods. A class of ours that derives from a type must call that type's `model_rebuild()`.

With a later aiogram that works in another way nothing is changed, and it is imported as usual.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel  # pydantic takes 0.1 s, which `earshot --help` can do without

BASE, BASE_CLASS = "aiogram.client.context_controller", "BotContextController"  # of all types and methods


def defer_model_building() -> None:
    """Install the import hook. It costs nothing where aiogram is never imported."""
    if BASE not in sys.modules:
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != BASE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if base := vars(module).get(BASE_CLASS):
            _put_off(base)


def _put_off(base: "type[BaseModel]") -> None:
    def model_rebuild(
        cls: "type[BaseModel]",
        /,
        *,
        force: bool = False,
        _types_namespace: Mapping[str, object] | None = None,
        **how: bool,
    ) -> bool | None:
        if force or _types_namespace is None:
            inherited: Callable[..., bool | None] = super(base, cls).model_rebuild  # type: ignore[misc] # not seen so
            return inherited(force=force, _types_namespace=_types_namespace, **how)
        known = vars(sys.modules[cls.__module__])
        known.update({**_types_namespace, **known})
        return None

    base.model_config["defer_build"] = True
    base.model_rebuild = classmethod(model_rebuild)  # type: ignore[assignment, method-assign] # on purpose
