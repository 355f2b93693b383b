"""Makes aiogram cheap to import: each of its models is built when it is first used, not all 600 at every start.

aiogram asks pydantic for just that (`defer_build`), and then has all types built at the end of its import, because
only there are the names known that their annotations mention: seconds of work, of which a worker needs a tenth of
one. Here a type that is to be rebuilt with these names only puts them into its module, where pydantic finds them at
any time, also for a model that another one contains. Methods are put off as types are. Only a class of ours that
derives from a type would have to ask for that type's `model_rebuild()` first.

Where a later aiogram works in another way, nothing of this applies, and it is imported as its authors meant.
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
    """Prepare for aiogram's import, if it comes; this costs nothing where it does not."""
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
