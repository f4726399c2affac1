"""Tensors that are kept in block floats: what `storage=` asks for, as the compiler's attribute of a PrimFunc.

A block float has no dtype in torch, so a kernel's parameter keeps its own (bfloat16, say) and only its pages on the
chip change: `storage={"B": "bfp8_b"}`. A ttnn tensor of such a dtype says the same by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .errors import ArgumentError

if TYPE_CHECKING:
    from tvm import tirx

    from .signature import KernelSignature

# Names that users and ttnn have for the formats.
BLOCK_FORMATS = {"bfp8_b": "Bfp8_b", "bfloat8_b": "Bfp8_b", "bfp4_b": "Bfp4_b", "bfloat4_b": "Bfp4_b"}
# The dtypes whose tensors may be kept so.
BLOCK_DTYPES = ("bfloat16", "float16", "float32")

Storage = tuple[tuple[str, str], ...]
"""Parameter names and formats, sorted: it compares and hashes."""


def checked_storage(storage: Mapping[str, str] | None) -> Storage:
    """What the user wrote, with the formats' own names; complains about formats that there are none."""
    if storage is None:
        return ()
    needed = '{"parameter": "bfp8_b" or "bfp4_b"}'
    if not isinstance(storage, Mapping):
        raise ArgumentError(
            "storage= takes a dict", parameter="storage", got=type(storage).__name__, needed=needed
        )  # fmt: skip
    for name, fmt in storage.items():
        if not isinstance(fmt, str) or fmt not in BLOCK_FORMATS:
            raise ArgumentError(
                f"storage of {name!r}: unknown format {fmt!r}",
                parameter="storage",
                got=repr(fmt),
                needed='"bfp8_b" or "bfp4_b"',
                hint=f"leave {name!r} out to keep it in the format of its dtype",
            )
    return tuple(sorted((name, BLOCK_FORMATS[fmt]) for name, fmt in storage.items()))


def with_storage(func: tirx.PrimFunc, storage: Storage, signature: KernelSignature) -> tirx.PrimFunc:
    """`func` with the attribute that the compiler reads; complains about names of no floating-point tensor."""
    tensors = {parameter.name: parameter for parameter in signature.parameters if parameter.kind == "tensor"}
    for name, _ in storage:
        if name not in tensors:
            raise ArgumentError(
                f"{signature.name}: storage= names {name!r}, which is no tensor parameter",
                parameter="storage",
                got=repr(name),
                needed=_listed(tensors),
            )
        if tensors[name].dtype not in BLOCK_DTYPES:
            raise ArgumentError(
                f"{signature.name}: {name!r} cannot be kept in block floats",
                parameter="storage",
                got=tensors[name].describe(),
                needed=f"a tensor of {_listed(BLOCK_DTYPES)}",
            )
    return func.with_attr("tt_storage", dict(storage)) if storage else func


def _listed(names: Iterable[str]) -> str:
    return " or ".join(names) or "no tensor"
