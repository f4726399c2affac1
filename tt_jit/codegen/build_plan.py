"""The plan of a lowered module: what a host must know to launch its kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tvm
from tvm import tirx as tir

from .. import plan
from ..errors import InternalError, UnsupportedError
from ..expression import Expression
from ..lower.accesses import ROLES
from ..lower.base import LoweringContext
from ..lower.grid_to_persistent_tt import WORK_COUNT, WORK_START
from ..lower.memory_space_lower_tt import CircularBuffer, circular_buffers
from ..lower.numeric_policy import VALUE_BITS, is_fast, is_narrow, tensor_dtype
from ..lower.ops import device_name, is_device_call
from ..lower.resolve_tensor_views import ARGUMENT_SHAPES_ATTRIBUTE, argument_shape
from ..lower.split_kernels import PROGRAM_ATTRIBUTE, workspaces_of
from ..lower.tensor_layout import layout_attribute, page_format, tensor_layout
from .cpp_expressions import ExpressionPrinter
from .kernels import KernelText

Programs = Mapping[int, Mapping[str, tir.PrimFunc]]
"""The role functions of every program, by its number and the role."""


def programs_of(module: tvm.IRModule) -> dict[int, dict[str, tir.PrimFunc]]:
    """The role functions of ``module`` by program, in the order in which programs and roles run."""
    programs: dict[int, dict[str, tir.PrimFunc]] = {}
    ordered = sorted(
        module.functions.values(),
        key=lambda func: (int(func.attrs[PROGRAM_ATTRIBUTE]), ROLES.index(str(func.attrs["tt_role"]))),
    )
    for func in ordered:
        programs.setdefault(int(func.attrs[PROGRAM_ATTRIBUTE]), {})[str(func.attrs["tt_role"])] = func
    return programs


def kernel_file(programs: Programs, number: int, role: str) -> str:
    """The file of a kernel: programs have folders when there are several."""
    return f"{role}.cpp" if len(programs) == 1 else f"{number}/{role}.cpp"


def build_plan(
    name: str, programs: Programs, kernels: Mapping[tuple[int, str], KernelText], context: LoweringContext
) -> plan.Plan:
    """The plan for the role functions of a lowered module and their printed texts."""
    functions = [func for roles in programs.values() for func in roles.values()]
    if not functions:
        raise UnsupportedError(f"{name} writes no tensor, so that nothing is left of it")
    func = functions[0]
    workspaces = workspaces_of(func)
    return plan.Plan(
        name=name,
        target=context.target.arch,
        grid=context.target.grid,
        symbols=_symbols(func, workspaces),
        scalars=tuple(
            plan.Scalar(name=param.name, param_index=index, dtype=str(param.dtype))
            for index, param in enumerate(func.params)
            if param not in func.buffer_map
        ),
        tensors=_tensors(func, _tensor_access(functions), workspaces),
        programs=tuple(
            _program(
                name if len(programs) == 1 else f"{name}_{number}",
                next(iter(roles.values())),
                {role: (kernel_file(programs, number, role), kernels[number, role]) for role in roles},
            )
            for number, roles in programs.items()
        ),
    )


def _symbols(func: tir.PrimFunc, workspaces: frozenset[str]) -> tuple[plan.Symbol, ...]:
    found: dict[str, plan.Symbol] = {}
    for param in func.params:
        if param not in func.buffer_map:
            continue
        buffer = func.buffer_map[param]
        if buffer.name in workspaces:
            continue
        for dim, extent in enumerate(argument_shape(func, buffer)):
            if isinstance(extent, tir.Var):
                found.setdefault(extent.name, plan.Symbol(name=extent.name, param=buffer.name, dim=dim))
    return tuple(found.values())


def _tensors(func: tir.PrimFunc, access: Mapping[str, str], workspaces: frozenset[str]) -> tuple[plan.Tensor, ...]:
    tensors = []
    for index, param in enumerate(func.params):
        if param not in func.buffer_map:
            continue
        buffer = func.buffer_map[param]
        fmt = page_format(func, buffer)
        is_viewed = buffer.name in func.attrs.get(ARGUMENT_SHAPES_ATTRIBUTE, {})
        tensor = plan.Tensor(
            name=buffer.name,
            param_index=None if buffer.name in workspaces else index,
            dtype=tensor_dtype(func, buffer),
            format=fmt.name if fmt is not None else "Float32",
            access=access.get(buffer.name, "none"),
            shape=_sizes(argument_shape(func, buffer)),
            layout=_layout(func, buffer),
            view=_sizes(buffer.shape) if is_viewed else None,
            value_bits=_value_bits(func, buffer),
        )
        tensors.append(tensor)
    return tuple(tensors)


def _value_bits(func: tir.PrimFunc, buffer: tir.Buffer) -> int | None:
    bits = func.attrs.get(VALUE_BITS, {})
    return int(bits[buffer.name]) if buffer.name in bits else None


def _layout(func: tir.PrimFunc, buffer: tir.Buffer) -> plan.Layout:
    if layout_attribute(buffer.name) not in func.attrs:
        return plan.RowMajorLayout(page_dims=min(1, len(buffer.shape)))
    attribute = func.attrs[layout_attribute(buffer.name)]
    if str(attribute["kind"]) == "row_major":
        return plan.RowMajorLayout(page_dims=int(attribute["page_dims"]))
    layout = tensor_layout(func, buffer)
    if layout.kind == "flat":
        assert layout.col is not None
        return plan.FlatLayout(outer=layout.outer, dim=layout.col)
    return plan.TileLayout(
        outer=layout.outer, row=layout.row, col=layout.col, row_block=layout.row_block, col_block=layout.col_block
    )


def _tensor_access(functions: Sequence[tir.PrimFunc]) -> dict[str, str]:
    """``read``, ``write`` or ``read_write`` for every tensor that a kernel touches."""
    reads: set[str] = set()
    writes: set[str] = set()

    def visit(node: Any) -> None:
        if is_device_call(node) and device_name(node) in (
            "read_scalar",
            "read_stick",
            "fetch_element",
            "current_element",
        ):
            reads.add(node.args[0].name)
        if is_device_call(node) and device_name(node) == "fetch_index":
            reads.add(node.args[0].name)
        if is_device_call(node) and device_name(node).startswith(
            ("write_stick", "store_element", "put_element", "update_element")
        ):
            # A piece of a page: the host uploads the rest of it first.
            writes.add(node.args[0].name)
            reads.add(node.args[0].name)
        if is_device_call(node) and device_name(node) in ("noc_async_read_page", "noc_async_write_page"):
            (reads if device_name(node) == "noc_async_read_page" else writes).add(node.args[1].name)

    names = {}
    for func in functions:
        tir.stmt_functor.post_order_visit(func.body, visit)
        names.update({b.data.name: b.name for b in func.buffer_map.values()})
    result = {}
    for data_name in reads | writes:
        kind = "read_write" if data_name in reads & writes else ("read" if data_name in reads else "write")
        result[names[data_name]] = kind
    return result


def _size(extent: tir.PrimExpr | int) -> Expression:
    return Expression.parse(expression_text(extent) if isinstance(extent, tir.PrimExpr) else int(extent))


def _sizes(extents: Sequence[tir.PrimExpr]) -> tuple[Expression, ...]:
    return tuple(_size(extent) for extent in extents)


def expression_text(expr: tir.PrimExpr) -> str:
    """A TIR integer expression in the plan's expression language."""

    def no_call(call: tir.Call) -> str:
        raise InternalError(f"the call {call} cannot be part of the plan")

    return _PlanExpressions(name_of=lambda v: v.name, call_text=no_call, signed=False).text(expr)


class _PlanExpressions(ExpressionPrinter):
    def render(self, expr: tir.PrimExpr) -> tuple[str, int]:
        if isinstance(expr, (tir.Min, tir.Max)):
            return f"{type(expr).__name__.lower()}({self.text(expr.a)}, {self.text(expr.b)})", 13
        return super().render(expr)


def _rings(func: tir.PrimFunc) -> list[CircularBuffer]:
    """One record for each ring, under the name of the first buffer that uses it."""
    by_id: dict[int, CircularBuffer] = {}
    for buffer in circular_buffers(func).values():
        by_id.setdefault(buffer.id, buffer)
    return list(by_id.values())


def _program(name: str, func: tir.PrimFunc, kernels: Mapping[str, tuple[str, KernelText]]) -> plan.Program:
    return plan.Program(
        name=name,
        kernels=tuple(_kernel(role, func, file, kernel) for role, (file, kernel) in kernels.items()),
        circular_buffers=tuple(
            plan.CircularBuffer(
                id=ring.id,
                name=ring.name,
                format=ring.format,
                page_size=ring.page_size,
                pages=ring.pages,
                unpack_to_dest_fp32=ring.unpack_to_dest_fp32,
            )
            for ring in _rings(func)
        ),
        compute_config=plan.ComputeConfig(
            math_fidelity="HiFi2" if is_fast(func) else "HiFi4",
            fp32_dest_acc_en=not is_narrow(func),
            math_approx_mode=is_narrow(func),
        ),
        work=plan.Work(total=_size(func.attrs["tt_num_tiles"]), max_cores=_cores(func)),
    )


def _cores(func: tir.PrimFunc) -> int:
    """Number of cores in ``tt_core_ranges``."""
    return sum((int(x1) - int(x0) + 1) * (int(y1) - int(y0) + 1) for x0, y0, x1, y1 in func.attrs["tt_core_ranges"])


def _kernel(role: str, func: tir.PrimFunc, file: str, kernel: KernelText) -> plan.KernelSpec:
    tensors = {f"{name}_address": name for name in kernel.tensors}
    scalars = {param.name for param in func.params if param not in func.buffer_map}
    common = []
    for argument in kernel.common_arguments:
        if argument in tensors:
            common.append(plan.KernelArgument(name=argument, kind="address", tensor=tensors[argument]))
        elif argument in scalars:
            common.append(plan.KernelArgument(name=argument, kind="scalar", scalar=argument))
        else:
            common.append(plan.KernelArgument(name=argument, kind="expr", value=Expression.parse(argument)))
    kinds = {WORK_START: "work_start", WORK_COUNT: "work_count"}
    return plan.KernelSpec(
        role=role,
        file=file,
        compile_time_args=tuple(plan.TensorAccessor(tensor=name) for name in kernel.tensors),
        common_args=tuple(common),
        core_args=tuple(plan.KernelArgument(name=name, kind=kinds[name]) for name in kernel.core_arguments),
    )
