"""Compile TileLang kernels to TT-Metalium kernels and run them on torch tensors."""

import sys
from types import ModuleType

from . import errors
from .config import config
from .jit import compile, jit, par_compile
from .kernel import Kernel
from .runtime.select import device

__all__ = ["Kernel", "compile", "config", "device", "errors", "jit", "par_compile"]
__version__ = "0.1.0"


class _Package(ModuleType):
    """Keeps `tt_jit.compile` the function when the module of that name is imported later."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in __all__ and name in vars(self)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
