"""tt.plan.json: everything a host needs to run the generated kernels, as frozen dataclasses.

The runtimes and main.cpp use nothing else. `Plan.from_json` accepts what plan.schema.json describes, and checks that
every name that is used is defined. docs/plan.md explains the fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from .data_format import FORMATS
from .errors import PlanError
from .expression import Expression
from .plan_json import Fields, format_json
from .target import TILE_ELEMENTS, TILE_HEIGHT, TILE_WIDTH

VERSION = 1
ROW_MAJOR_ALIGNMENT = 64

ACCESSES = ("read", "write", "read_write", "none")
ROLES = ("reader", "compute", "writer")
ARGUMENT_KINDS = ("address", "expr", "scalar", "work_start", "work_count")
MATH_FIDELITIES = ("LoFi", "HiFi2", "HiFi3", "HiFi4")


def padded_tiles(size: int, block: int) -> int:
    """Tiles along a dimension of `size` elements cut in blocks of `block`, each block padded to whole tiles."""
    if block % TILE_WIDTH == 0:
        return -(-size // TILE_WIDTH)
    return -(-size // block) * -(-block // TILE_WIDTH)


@dataclass(frozen=True, kw_only=True)
class Symbol:
    """A size known only at run time: `name` is `param`.shape[`dim`]."""

    name: str
    param: str
    dim: int


@dataclass(frozen=True, kw_only=True)
class Scalar:
    name: str
    param_index: int
    dtype: str


@dataclass(frozen=True, kw_only=True)
class TileLayout:
    """Pages are 32x32 tiles of four 16x16 faces. page = (outer * row_tiles + tile_row) * col_tiles + tile_col."""

    outer: tuple[int, ...]
    row: int | None
    col: int | None
    row_block: int = TILE_HEIGHT
    col_block: int = TILE_WIDTH

    def grid(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """(outer count, tile rows, tile columns) of a tensor of `shape`."""
        rows = 1 if self.row is None else padded_tiles(shape[self.row], self.row_block)
        columns = 1 if self.col is None else padded_tiles(shape[self.col], self.col_block)
        return prod(shape[dim] for dim in self.outer), rows, columns

    def page_count(self, shape: Sequence[int]) -> int:
        return prod(self.grid(shape))

    def page_bytes(self, shape: Sequence[int], data_format: str) -> int:
        return FORMATS[data_format].tile_bytes

    def to_json(self) -> dict[str, object]:
        return {
            "kind": "tile",
            "outer": list(self.outer),
            "row": self.row,
            "col": self.col,
            "row_block": self.row_block,
            "col_block": self.col_block,
        }


@dataclass(frozen=True, kw_only=True)
class FlatLayout:
    """`dim` is cut in runs of 1024 elements, each a tile filled row by row: element e at row e / 32, column e % 32."""

    outer: tuple[int, ...]
    dim: int

    def page_count(self, shape: Sequence[int]) -> int:
        return prod(shape[dim] for dim in self.outer) * -(-shape[self.dim] // TILE_ELEMENTS)

    def page_bytes(self, shape: Sequence[int], data_format: str) -> int:
        return FORMATS[data_format].tile_bytes

    def to_json(self) -> dict[str, object]:
        return {"kind": "flat", "outer": list(self.outer), "dim": self.dim}


@dataclass(frozen=True, kw_only=True)
class RowMajorLayout:
    """C-contiguous; a page is the last `page_dims` dims, padded to a multiple of 64 bytes."""

    page_dims: int

    def page_count(self, shape: Sequence[int]) -> int:
        return prod(shape[: len(shape) - self.page_dims])

    def page_bytes(self, shape: Sequence[int], data_format: str) -> int:
        used = prod(shape[len(shape) - self.page_dims :]) * FORMATS[data_format].element_bytes
        return max(1, -(-used // ROW_MAJOR_ALIGNMENT)) * ROW_MAJOR_ALIGNMENT

    def to_json(self) -> dict[str, object]:
        return {"kind": "row_major", "page_dims": self.page_dims}


Layout = TileLayout | FlatLayout | RowMajorLayout


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A global tensor; `param_index` is None for a workspace of the kernel's own."""

    name: str
    param_index: int | None
    dtype: str
    format: str
    access: str
    shape: tuple[Expression, ...]
    layout: Layout
    view: tuple[Expression, ...] | None = None
    value_bits: int | None = None

    @property
    def is_read(self) -> bool:
        return self.access in ("read", "read_write")

    @property
    def is_written(self) -> bool:
        return self.access in ("write", "read_write")

    def sizes(self, symbols: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of the argument."""
        return tuple(dimension.evaluate(symbols) for dimension in self.shape)

    @property
    def page_shape(self) -> tuple[Expression, ...]:
        """The shape that the layout is about: the kernel may see the tensor under another shape."""
        return self.shape if self.view is None else self.view

    def page_sizes(self, symbols: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(dimension.evaluate(symbols) for dimension in self.page_shape)


@dataclass(frozen=True, kw_only=True)
class TensorAccessor:
    """A compile-time argument that expands to the words of TensorAccessorArgs of that tensor's buffer."""

    tensor: str


@dataclass(frozen=True, kw_only=True)
class KernelArgument:
    """A run-time argument; exactly the field that belongs to `kind` is set."""

    name: str
    kind: str
    tensor: str | None = None
    value: Expression | None = None
    scalar: str | None = None


@dataclass(frozen=True, kw_only=True)
class KernelSpec:
    role: str
    file: str
    compile_time_args: tuple[int | TensorAccessor, ...] = ()
    common_args: tuple[KernelArgument, ...] = ()
    core_args: tuple[KernelArgument, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CircularBuffer:
    id: int
    name: str
    format: str
    page_size: int
    pages: int
    unpack_to_dest_fp32: bool = False
    alias_of: int | None = None


@dataclass(frozen=True, kw_only=True)
class Semaphore:
    id: int
    initial: int = 0


@dataclass(frozen=True, kw_only=True)
class ComputeConfig:
    math_fidelity: str = "HiFi4"
    fp32_dest_acc_en: bool = False
    dst_full_sync_en: bool = False
    math_approx_mode: bool = False


@dataclass(frozen=True, kw_only=True)
class Work:
    """Work items in contiguous shares: cores = min(total, max_cores), the first total % cores cores do one more."""

    total: Expression
    max_cores: int

    def core_count(self) -> int:
        """Cores that get the kernels: all of them where the total is known only at run time."""
        total = self.total.constant
        return self.max_cores if total is None else max(1, min(total, self.max_cores))

    def shares(self, symbols: Mapping[str, int]) -> list[tuple[int, int]]:
        """(work_start, work_count) of every core of `core_count()`, in core order."""
        total = self.total.evaluate(symbols)
        busy = min(total, self.max_cores)
        shares = []
        start = 0
        for core in range(self.core_count()):
            count = total // busy + (core < total % busy) if core < busy else 0
            shares.append((start, count))
            start += count
        return shares


@dataclass(frozen=True, kw_only=True)
class Program:
    """One T.Kernel."""

    name: str
    kernels: tuple[KernelSpec, ...]
    circular_buffers: tuple[CircularBuffer, ...]
    work: Work
    semaphores: tuple[Semaphore, ...] = ()
    compute_config: ComputeConfig = ComputeConfig()

    def kernel(self, role: str) -> KernelSpec | None:
        return next((kernel for kernel in self.kernels if kernel.role == role), None)


@dataclass(frozen=True, kw_only=True)
class Plan:
    name: str
    target: str
    grid: tuple[int, int]
    tensors: tuple[Tensor, ...]
    programs: tuple[Program, ...]
    symbols: tuple[Symbol, ...] = ()
    scalars: tuple[Scalar, ...] = ()
    version: int = VERSION

    def __post_init__(self) -> None:
        _check_references(self)

    @cached_property
    def tensor_by_name(self) -> Mapping[str, Tensor]:
        return {tensor.name: tensor for tensor in self.tensors}

    @staticmethod
    def from_json(text: str) -> Plan:
        """The plan in `text`; raises PlanError with the path of the first field that is wrong."""
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise PlanError(f"tt.plan.json is not JSON: {error}") from None
        return _read_plan(Fields(document, "plan"))

    def to_json(self) -> str:
        return format_json(_plan_document(self))


def _read_plan(plan: Fields) -> Plan:
    version = plan.integer("version")
    if version != VERSION:
        raise PlanError(f"plan.version: got {version}, this tt_jit reads version {VERSION}")
    result = Plan(
        version=version,
        name=plan.text("name"),
        target=plan.text("target"),
        grid=plan.pair("grid"),
        symbols=tuple(
            Symbol(name=item.text("name"), param=item.text("param"), dim=item.integer("dim"))
            for item in plan.objects("symbols")
        ),
        scalars=tuple(
            Scalar(name=item.text("name"), param_index=item.integer("param_index"), dtype=item.text("dtype"))
            for item in plan.objects("scalars")
        ),
        tensors=tuple(_read_tensor(item) for item in plan.objects("tensors")),
        programs=tuple(_read_program(item) for item in plan.objects("programs")),
    )
    plan.finish()
    return result


def _read_tensor(item: Fields) -> Tensor:
    tensor = Tensor(
        name=item.text("name"),
        param_index=item.optional_integer("param_index"),
        dtype=item.text("dtype"),
        format=item.choice("format", tuple(FORMATS)),
        access=item.choice("access", ACCESSES),
        shape=item.expressions("shape"),
        layout=_read_layout(item.child("layout")),
        view=item.optional_expressions("view"),
        value_bits=item.integer("value_bits") if item.has("value_bits") else None,
    )
    item.finish()
    return tensor


def _read_layout(item: Fields) -> Layout:
    layout: Layout
    kind = item.choice("kind", ("tile", "flat", "row_major"))
    if kind == "tile":
        layout = TileLayout(
            outer=item.integers("outer"),
            row=item.optional_integer("row"),
            col=item.optional_integer("col"),
            row_block=item.integer("row_block"),
            col_block=item.integer("col_block"),
        )
    elif kind == "flat":
        layout = FlatLayout(outer=item.integers("outer"), dim=item.integer("dim"))
    else:
        layout = RowMajorLayout(page_dims=item.integer("page_dims"))
    item.finish()
    return layout


def _read_program(item: Fields) -> Program:
    config = item.child("compute_config")
    work = item.child("work")
    program = Program(
        name=item.text("name"),
        kernels=tuple(_read_kernel(kernel) for kernel in item.objects("kernels")),
        circular_buffers=tuple(_read_circular_buffer(buffer) for buffer in item.objects("circular_buffers")),
        semaphores=tuple(
            Semaphore(id=semaphore.integer("id"), initial=semaphore.integer("initial"))
            for semaphore in item.objects("semaphores")
        ),
        compute_config=ComputeConfig(
            math_fidelity=config.choice("math_fidelity", MATH_FIDELITIES),
            fp32_dest_acc_en=config.flag("fp32_dest_acc_en"),
            dst_full_sync_en=config.flag("dst_full_sync_en"),
            math_approx_mode=config.flag("math_approx_mode"),
        ),
        work=Work(total=work.expression("total"), max_cores=work.integer("max_cores")),
    )
    for part in (config, work, item):
        part.finish()
    return program


def _read_kernel(item: Fields) -> KernelSpec:
    kernel = KernelSpec(
        role=item.choice("role", ROLES),
        file=item.text("file"),
        compile_time_args=tuple(
            TensorAccessor(tensor=value.text("tensor_accessor")) if isinstance(value, Fields) else value
            for value in item.integers_or_objects("compile_time_args")
        ),
        common_args=tuple(_read_argument(argument) for argument in item.objects("common_args")),
        core_args=tuple(_read_argument(argument) for argument in item.objects("core_args")),
    )
    item.finish()
    return kernel


def _read_argument(item: Fields) -> KernelArgument:
    kind = item.choice("kind", ARGUMENT_KINDS)
    argument = KernelArgument(
        name=item.text("name"),
        kind=kind,
        tensor=item.text("tensor") if kind == "address" else None,
        value=item.expression("value") if kind == "expr" else None,
        scalar=item.text("scalar") if kind == "scalar" else None,
    )
    item.finish()
    return argument


def _read_circular_buffer(item: Fields) -> CircularBuffer:
    buffer = CircularBuffer(
        id=item.integer("id"),
        name=item.text("name"),
        format=item.choice("format", tuple(FORMATS)),
        page_size=item.integer("page_size"),
        pages=item.integer("pages"),
        unpack_to_dest_fp32=item.flag("unpack_to_dest_fp32"),
        alias_of=item.optional_integer("alias_of"),
    )
    item.finish()
    return buffer


def _plan_document(plan: Plan) -> dict[str, object]:
    return {
        "version": plan.version,
        "name": plan.name,
        "target": plan.target,
        "grid": list(plan.grid),
        "symbols": [{"name": symbol.name, "param": symbol.param, "dim": symbol.dim} for symbol in plan.symbols],
        "scalars": [
            {"name": scalar.name, "param_index": scalar.param_index, "dtype": scalar.dtype} for scalar in plan.scalars
        ],
        "tensors": [
            {
                "name": tensor.name,
                "param_index": tensor.param_index,
                "dtype": tensor.dtype,
                "format": tensor.format,
                "access": tensor.access,
                "shape": [dimension.to_json() for dimension in tensor.shape],
                "layout": tensor.layout.to_json(),
                **({} if tensor.view is None else {"view": [dimension.to_json() for dimension in tensor.view]}),
                **({} if tensor.value_bits is None else {"value_bits": tensor.value_bits}),
            }
            for tensor in plan.tensors
        ],
        "programs": [_program_document(program) for program in plan.programs],
    }


def _program_document(program: Program) -> dict[str, object]:
    return {
        "name": program.name,
        "kernels": [_kernel_document(kernel) for kernel in program.kernels],
        "circular_buffers": [dict(vars(buffer)) for buffer in program.circular_buffers],
        "semaphores": [dict(vars(semaphore)) for semaphore in program.semaphores],
        "compute_config": dict(vars(program.compute_config)),
        "work": {"total": program.work.total.to_json(), "max_cores": program.work.max_cores},
    }


def _kernel_document(kernel: KernelSpec) -> dict[str, object]:
    return {
        "role": kernel.role,
        "file": kernel.file,
        "compile_time_args": [
            {"tensor_accessor": value.tensor} if isinstance(value, TensorAccessor) else value
            for value in kernel.compile_time_args
        ],
        "common_args": [_argument_document(argument) for argument in kernel.common_args],
        "core_args": [_argument_document(argument) for argument in kernel.core_args],
    }


def _argument_document(argument: KernelArgument) -> dict[str, object]:
    document: dict[str, object] = {"name": argument.name, "kind": argument.kind}
    if argument.kind == "address":
        document["tensor"] = argument.tensor
    elif argument.kind == "expr" and argument.value is not None:
        document["value"] = argument.value.to_json()
    elif argument.kind == "scalar":
        document["scalar"] = argument.scalar
    return document


def _check_references(plan: Plan) -> None:
    """Every name used is defined, every definition is unique, and every layout fits its tensor's rank."""
    tensors = _unique("tensors", [tensor.name for tensor in plan.tensors])
    scalars = _unique("scalars", [scalar.name for scalar in plan.scalars])
    symbols = _unique("symbols", [symbol.name for symbol in plan.symbols])
    indices = [*(tensor.param_index for tensor in plan.tensors), *(scalar.param_index for scalar in plan.scalars)]
    _unique("parameters", [index for index in indices if index is not None])
    ranks = {tensor.name: len(tensor.shape) for tensor in plan.tensors}
    for symbol in plan.symbols:
        if symbol.dim >= ranks.get(symbol.param, 0):
            raise PlanError(f"symbol {symbol.name!r}: no tensor has the dimension {symbol.param}.shape[{symbol.dim}]")
    for tensor in plan.tensors:
        for dimension in (*tensor.shape, *(tensor.view or ())):
            _check_names(f"tensor {tensor.name!r}: shape", dimension, symbols)
        _check_layout(tensor)
    for program in plan.programs:
        _check_program(program, tensors, scalars, symbols)


def _check_program(
    program: Program, tensors: frozenset[object], scalars: frozenset[object], symbols: frozenset[object]
) -> None:
    where = f"program {program.name!r}"
    _unique(f"{where}: roles", [kernel.role for kernel in program.kernels])
    _unique(f"{where}: circular buffers", [buffer.id for buffer in program.circular_buffers])
    if sorted(semaphore.id for semaphore in program.semaphores) != list(range(len(program.semaphores))):
        raise PlanError(f"{where}: semaphore ids must count from 0, as the host numbers them")
    owned = {buffer.id: buffer for buffer in program.circular_buffers if buffer.alias_of is None}
    for buffer in program.circular_buffers:
        if buffer.alias_of is None:
            continue
        owner = owned.get(buffer.alias_of)
        if owner is None:
            raise PlanError(f"{where}: circular buffer {buffer.id}: alias of {buffer.alias_of}, which owns no memory")
        if buffer.page_size * buffer.pages != owner.page_size * owner.pages:
            raise PlanError(f"{where}: circular buffers {owner.id} and {buffer.id} share memory but differ in bytes")
    _check_names(f"{where}: work.total", program.work.total, symbols | scalars)
    for kernel in program.kernels:
        for word in kernel.compile_time_args:
            if isinstance(word, TensorAccessor) and word.tensor not in tensors:
                raise PlanError(f"{where}, {kernel.role}: tensor accessor of unknown tensor {word.tensor!r}")
        for argument in (*kernel.common_args, *kernel.core_args):
            _check_argument(f"{where}, {kernel.role}, argument {argument.name!r}", argument, tensors, scalars, symbols)


def _check_argument(
    where: str,
    argument: KernelArgument,
    tensors: frozenset[object],
    scalars: frozenset[object],
    symbols: frozenset[object],
) -> None:
    given = {"address": argument.tensor, "expr": argument.value, "scalar": argument.scalar}
    if argument.kind not in ARGUMENT_KINDS:
        raise PlanError(f"{where}: unknown kind {argument.kind!r}")
    for kind, value in given.items():
        if (value is not None) != (kind == argument.kind):
            raise PlanError(f"{where}: kind {argument.kind!r} and the fields given do not belong together")
    if argument.tensor is not None and argument.tensor not in tensors:
        raise PlanError(f"{where}: unknown tensor {argument.tensor!r}")
    if argument.scalar is not None and argument.scalar not in scalars:
        raise PlanError(f"{where}: unknown scalar {argument.scalar!r}")
    if argument.value is not None:
        _check_names(where, argument.value, symbols | scalars)


def _check_layout(tensor: Tensor) -> None:
    rank = len(tensor.page_shape)
    layout = tensor.layout
    if isinstance(layout, RowMajorLayout):
        valid = layout.page_dims <= rank and not FORMATS[tensor.format].is_block
    else:
        inner = (layout.dim,) if isinstance(layout, FlatLayout) else (layout.row, layout.col)
        dims = [*layout.outer, *(dim for dim in inner if dim is not None)]
        valid = sorted(dims) == list(range(rank))
    if isinstance(layout, TileLayout):
        valid = valid and min(layout.row_block, layout.col_block) > 0
    if not valid:
        given = f"rank {rank} and {tensor.format}"
        raise PlanError(f"tensor {tensor.name!r}: layout {layout.to_json()} does not fit {given}")


def _check_names(where: str, expression: Expression, known: frozenset[object]) -> None:
    unknown = sorted(expression.names - known)
    if unknown:
        raise PlanError(f"{where}: '{expression}' uses {unknown[0]!r}, which the plan does not define")


def _unique(what: str, keys: Sequence[object]) -> frozenset[object]:
    seen = frozenset(keys)
    if len(seen) < len(keys):
        repeated = next(key for key in keys if list(keys).count(key) > 1)
        raise PlanError(f"{what}: {repeated!r} occurs twice")
    return seen
