"""Compile TileLang kernels to TT-Metalium kernels and run them on torch tensors."""

from tt_jit import errors
from tt_jit.config import config

__all__ = ["config", "errors"]
__version__ = "0.1.0"
