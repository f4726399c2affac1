"""What a kernel's parameters are, and the check of call arguments against them: rank, dtype, shape, strides, device.

This module and binding.py are the only ones that inspect call arguments. A check runs once per combination of shapes,
dtypes, strides and devices; its result is kept by the caller, so that a warm call pays for the key alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from .errors import ArgumentError
from .expression import Binary, Expression, Integer, Name, Node
from .narrowed import NARROWED
from .packed import PACKED
from .storage import BLOCK_DTYPES, BLOCK_FORMATS

ParameterKind = Literal["tensor", "scalar", "pointer"]


def _torch_dtypes(*names: str) -> tuple[torch.dtype, ...]:
    return tuple(getattr(torch, name) for name in names if hasattr(torch, name))


# TIR dtype -> the torch dtypes that may be passed for it; the first one is that of allocated outputs.
_TORCH_DTYPES: dict[str, tuple[torch.dtype, ...]] = {
    **{
        name: _torch_dtypes(name)
        for name in (
            "float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64",
            "uint8", "uint16", "uint32", "uint64", "float8_e8m0fnu",
        )
    },
    "bool": _torch_dtypes("bool", "uint8", "int8"),
    "float8_e4m3": _torch_dtypes("float8_e4m3fn", "float8_e4m3fnuz"),
    "float8_e4m3fn": _torch_dtypes("float8_e4m3fn", "float8_e4m3fnuz"),
    "float8_e4m3fnuz": _torch_dtypes("float8_e4m3fnuz", "float8_e4m3fn"),
    "float8_e5m2": _torch_dtypes("float8_e5m2", "float8_e5m2fnuz"),
    "float8_e5m2fnuz": _torch_dtypes("float8_e5m2fnuz", "float8_e5m2"),
    "int4": _torch_dtypes("int8"),
    "uint4": _torch_dtypes("uint8"),
    "float4_e2m1fn": _torch_dtypes("float4_e2m1fn_x2", "int8", "uint8"),
    "custom[tfloat32]": _torch_dtypes("float32"),
}  # fmt: skip

_INTEGER_RANGE = {
    f"{sign}int{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}


def torch_dtype(name: str) -> torch.dtype:
    """The torch dtype of an output of TIR dtype `name`."""
    accepted = _TORCH_DTYPES.get(name, ())
    if not accepted:
        raise ArgumentError(f"this version of torch has no dtype for {name}")
    return accepted[0]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a PrimFunc. `strides` is set only where the kernel asks for some (T.StridedTensor)."""

    name: str
    kind: ParameterKind
    dtype: str
    shape: tuple[Expression, ...] = ()
    strides: tuple[Expression, ...] | None = None
    used: bool = True
    read: bool = True
    written: bool = False

    def to_json(self) -> dict[str, Any]:
        strides = None if self.strides is None else [stride.to_json() for stride in self.strides]
        return {
            "name": self.name,
            "kind": self.kind,
            "dtype": self.dtype,
            "shape": [size.to_json() for size in self.shape],
            "strides": strides,
            "used": self.used,
            "read": self.read,
            "written": self.written,
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Parameter:
        strides = document["strides"]
        return Parameter(
            name=document["name"],
            kind=document["kind"],
            dtype=document["dtype"],
            shape=tuple(map(Expression.parse, document["shape"])),
            strides=None if strides is None else tuple(map(Expression.parse, strides)),
            used=document["used"],
            read=document["read"],
            written=document["written"],
        )

    def describe(self) -> str:
        """As the author would write it, e.g. `T.Tensor((m, 1024), bfloat16)`."""
        if self.kind == "scalar":
            return f"T.{self.dtype}"
        if self.kind == "pointer":
            return "T.ptr"
        sizes = ", ".join(str(size) for size in self.shape)
        return f"T.Tensor(({sizes}{',' if len(self.shape) == 1 else ''}), {self.dtype})"


@dataclass(frozen=True, kw_only=True)
class KernelSignature:
    """The parameters of a kernel, and which of them the call allocates and returns."""

    name: str
    parameters: tuple[Parameter, ...]
    out_idx: tuple[int, ...] = ()

    @property
    def inputs(self) -> tuple[Parameter, ...]:
        """The parameters that the caller passes, in order."""
        return tuple(parameter for index, parameter in enumerate(self.parameters) if index not in self.out_idx)

    def describe(self) -> str:
        """The call form, for messages."""
        return f"{self.name}({', '.join(parameter.name for parameter in self.inputs)})"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "parameters": [parameter.to_json() for parameter in self.parameters],
            "out_idx": list(self.out_idx),
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> KernelSignature:
        return KernelSignature(
            name=document["name"],
            parameters=tuple(map(Parameter.from_json, document["parameters"])),
            out_idx=tuple(document["out_idx"]),
        )


def normalize_out_idx(
    out_idx: int | Sequence[int] | None, parameters: Sequence[Parameter], name: str
) -> tuple[int, ...]:
    """`out_idx` as the user gave it, as indices from 0; negative ones count from the end of all parameters."""
    if out_idx is None:
        return ()
    given = [out_idx] if isinstance(out_idx, int) and not isinstance(out_idx, bool) else out_idx
    count = len(parameters)
    if not isinstance(given, (list, tuple)) or any(isinstance(i, bool) or not isinstance(i, int) for i in given):
        raise ArgumentError(f"{name}: out_idx must be an integer or a list of integers", got=repr(out_idx))
    result = []
    for index in given:
        if not -count <= index < count:
            raise ArgumentError(
                f"{name}: out_idx {index} is outside the {count} parameters",
                got=index,
                needed=f"{-count} to {count - 1}",
                hint=f"the parameters are {', '.join(parameter.name for parameter in parameters)}",
            )
        position = index % count
        if position in result:
            raise ArgumentError(f"{name}: out_idx names parameter {parameters[position].name!r} twice", got=out_idx)
        if parameters[position].kind != "tensor":
            raise ArgumentError(
                f"{name}: out_idx {index} is {parameters[position].name!r}, which is no tensor",
                got=parameters[position].describe(),
                needed="a tensor parameter",
            )
        result.append(position)
    return tuple(result)


@dataclass(frozen=True, kw_only=True)
class OutputSpec:
    """An output that the call allocates."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True, kw_only=True)
class CheckedCall:
    """What the check of one combination of argument shapes found out."""

    outputs: tuple[OutputSpec, ...]
    device: torch.device
    symbols: Mapping[str, int]
    # Some argument is a tensor on the chip: then outputs are made there, too.
    on_chip: bool = False


def argument_key(values: Sequence[Any]) -> tuple[Any, ...]:
    """All that `check_arguments` looks at, except the values of scalars. Fails with RuntimeError for sparse tensors."""
    parts: list[Any] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            parts += (value.shape, value.stride(), value.dtype, value.is_cpu)
        elif is_chip_tensor(value):
            parts += (type(value), tuple(value.shape), value.dtype)
        else:
            parts.append(type(value))
    return tuple(parts)


def is_chip_tensor(value: Any) -> bool:
    """Whether `value` is a ttnn tensor. Its class is enough to know, so that ttnn need not be imported."""
    kind = type(value)
    return kind.__name__ == "Tensor" and kind.__module__.startswith("ttnn")


def chip_block_format(value: Any) -> str | None:
    """The block float that a ttnn tensor is kept in, None for other dtypes."""
    return BLOCK_FORMATS.get(str(value.dtype).rpartition(".")[2].lower())


def check_arguments(signature: KernelSignature, values: Sequence[Any], takes_chip_tensors: bool = False) -> CheckedCall:
    """Check the arguments of one call and find the sizes of its outputs.

    `takes_chip_tensors` says that the kernel runs on a chip, where ttnn tensors are arguments, too.
    """
    inputs = signature.inputs
    device = _common_device(signature, values)
    known: dict[str, int] = {}
    origins: dict[str, str] = {}
    for parameter, value in zip(inputs, values, strict=True):
        if parameter.kind == "scalar":
            check_scalar(signature.name, parameter, value)
            if isinstance(value, int):
                known[parameter.name] = int(value)
                origins[parameter.name] = f"argument {parameter.name}"
        elif value is None:
            _check_absent(signature.name, parameter)
        elif takes_chip_tensors and is_chip_tensor(value):
            _check_chip_tensor(signature.name, parameter, value)
        else:
            _check_tensor(signature.name, parameter, value)
    _solve_sizes(signature, values, known, origins)
    outputs = []
    for index in signature.out_idx:
        parameter = signature.parameters[index]
        unknown = sorted(set().union(*(size.names for size in parameter.shape)) - set(known))
        if unknown:
            raise ArgumentError(
                f"{signature.name}: the shape of output {parameter.name!r} depends on {', '.join(unknown)},"
                " which no argument determines",
                parameter=parameter.name,
                needed=parameter.describe(),
                hint="pass the output as an argument instead of naming it in out_idx",
            )
        sizes = [size.evaluate(known) for size in parameter.shape]
        if sizes and parameter.dtype in PACKED:
            sizes[-1] //= PACKED[parameter.dtype]
        outputs.append(OutputSpec(shape=tuple(sizes), dtype=torch_dtype(parameter.dtype)))
    on_chip = takes_chip_tensors and any(map(is_chip_tensor, values))
    return CheckedCall(outputs=tuple(outputs), device=device, symbols=known, on_chip=on_chip)


def _common_device(signature: KernelSignature, values: Sequence[Any]) -> torch.device:
    first: tuple[str, torch.device] | None = None
    for parameter, value in zip(signature.inputs, values, strict=True):
        if not isinstance(value, torch.Tensor):
            continue
        if value.device.type != "cpu":
            raise ArgumentError(
                f"{signature.name}: argument {parameter.name!r} is on the wrong device",
                parameter=parameter.name,
                got=value.device,
                needed="cpu",
                hint=f"pass {parameter.name}.cpu(); the launch itself brings tensors to the chip",
            )
        first = first or (parameter.name, value.device)
    return first[1] if first is not None else torch.device("cpu")


def _check_absent(kernel: str, parameter: Parameter) -> None:
    if parameter.used:
        raise ArgumentError(
            f"{kernel}: argument {parameter.name!r} is None, but the kernel uses it",
            parameter=parameter.name,
            got="None",
            needed=parameter.describe(),
            hint="only tensors that the kernel never touches may be None",
        )


def _check_tensor(kernel: str, parameter: Parameter, value: Any) -> None:
    name = parameter.name

    def refuse(what: str, got: object, needed: object, hint: str) -> ArgumentError:
        return ArgumentError(
            f"{kernel}: argument {name!r} {what}", parameter=name, got=got, needed=needed, hint=hint
        )  # fmt: skip

    if not isinstance(value, torch.Tensor):
        hint = "wrap it with torch.from_numpy" if type(value).__module__ == "numpy" else "pass a torch tensor"
        if is_chip_tensor(value):
            hint = "this kernel runs on the emulator: pass ttnn.to_torch(...) of it"
        raise refuse("is no torch tensor", type(value).__name__, parameter.describe(), hint)
    if value.layout is not torch.strided:
        raise refuse("is not a dense tensor", value.layout, "torch.strided", f"pass {name}.to_dense()")
    if parameter.kind == "pointer":
        return
    accepted = _TORCH_DTYPES.get(parameter.dtype, ())
    if value.dtype not in accepted:
        needed = " or ".join(str(dtype) for dtype in accepted) or f"{parameter.dtype}, which torch lacks"
        hint = f"pass {name}.to({accepted[0]})" if accepted else "use another dtype in the kernel"
        raise refuse("has the wrong dtype", value.dtype, needed, hint)
    if value.dim() != len(parameter.shape):
        got = f"{value.dim()} dimensions, shape {tuple(value.shape)}"
        needed = f"{len(parameter.shape)} dimensions, shape ({', '.join(map(str, parameter.shape))})"
        raise refuse("has the wrong number of dimensions", got, needed, f"reshape {name} before the call")
    if parameter.written and any(s == 0 and n > 1 for s, n in zip(value.stride(), value.shape, strict=True)):
        got = f"strides {value.stride()} for shape {tuple(value.shape)}"
        raise refuse("is written by the kernel, but its elements overlap in memory", got, "distinct elements",
                     f"pass {name}.contiguous() and use that tensor afterwards")  # fmt: skip


def _check_chip_tensor(kernel: str, parameter: Parameter, value: Any) -> None:
    """Dtype and rank; the runtime checks that the tensor's layout is the one that the kernel reads."""
    from .runtime.ttnn import describe

    shape, dtype = describe(value)
    accepted = [str(accepted).removeprefix("torch.") for accepted in _TORCH_DTYPES.get(parameter.dtype, ())]
    if parameter.dtype in BLOCK_DTYPES:
        accepted += BLOCK_FORMATS
    hint = "pass a torch tensor, which is converted on the way to the chip"
    if parameter.dtype == NARROWED:
        accepted = ["int32"]
        hint = f"the chip keeps int64 tensors in 32 bits: pass a ttnn tensor of int32, or {hint[5:]}"
    if parameter.kind == "tensor" and dtype not in accepted:
        raise ArgumentError(
            f"{kernel}: argument {parameter.name!r} has the wrong dtype",
            parameter=parameter.name,
            got=f"a ttnn tensor of {dtype}",
            needed=parameter.describe(),
            hint=hint,
        )
    if parameter.kind == "tensor" and len(shape) != len(parameter.shape):
        raise ArgumentError(
            f"{kernel}: argument {parameter.name!r} has the wrong number of dimensions",
            parameter=parameter.name,
            got=f"a ttnn tensor of shape {shape}",
            needed=parameter.describe(),
        )


def check_scalar(kernel: str, parameter: Parameter, value: Any) -> None:
    """Check the type and the range of a run-time scalar."""
    dtype = parameter.dtype
    hint = f"pass {parameter.name}.item()" if isinstance(value, torch.Tensor) else None
    if dtype == "bool":
        fits = isinstance(value, (bool, int))
        needed = "a bool"
    elif dtype in _INTEGER_RANGE:
        # The chip has 32 bits for an argument of any width.
        low, high = _INTEGER_RANGE[dtype.replace("64", "32")]
        fits = isinstance(value, int) and low <= value <= high
        needed = f"an integer from {low} to {high}"
    else:
        fits = isinstance(value, (int, float))
        needed = "a number"
    if not fits:
        raise ArgumentError(
            f"{kernel}: argument {parameter.name!r} does not fit {parameter.describe()}",
            parameter=parameter.name,
            got=f"{value!r} ({type(value).__name__})" if not isinstance(value, torch.Tensor) else "a torch tensor",
            needed=needed,
            hint=hint,
        )


@dataclass(frozen=True, kw_only=True)
class _Equation:
    parameter: Parameter
    what: str
    dim: int
    expression: Expression
    actual: int
    shape: tuple[int, ...]

    @property
    def place(self) -> str:
        return f"{self.parameter.name}.{self.what}[{self.dim}]"


def _equations(signature: KernelSignature, values: Sequence[Any]) -> list[_Equation]:
    equations = []
    for parameter, value in zip(signature.inputs, values, strict=True):
        if parameter.kind != "tensor" or value is None:
            continue
        sizes = tuple(value.shape)
        packed = PACKED.get(parameter.dtype, 1)
        if sizes and packed > 1:
            sizes = (*sizes[:-1], sizes[-1] * packed)
        for dim, size in enumerate(parameter.shape):
            equations.append(
                _Equation(parameter=parameter, what="shape", dim=dim, expression=size, actual=sizes[dim], shape=sizes)
            )
        for dim, stride in enumerate(parameter.strides or ()):
            # The stride of a dimension of one element is never used, and torch may report anything for it.
            if sizes[dim] > 1 and isinstance(value, torch.Tensor):
                actual = value.stride(dim)
                equations.append(
                    _Equation(
                        parameter=parameter, what="stride", dim=dim, expression=stride, actual=actual, shape=sizes
                    )
                )
    return equations


def _solve_sizes(
    signature: KernelSignature, values: Sequence[Any], known: dict[str, int], origins: dict[str, str]
) -> None:
    """Find every symbol from the shapes and strides, by repeated solving of linear equations with one unknown."""
    pending = _equations(signature, values)
    while pending:
        later = []
        for equation in pending:
            unknown = equation.expression.names - known.keys()
            if not unknown:
                if equation.expression.evaluate(known) != equation.actual:
                    raise _mismatch(signature, equation, known, origins)
                continue
            line = _linear(equation.expression.node, known) if len(unknown) == 1 else None
            (symbol,) = unknown if len(unknown) == 1 else (None,)
            if line is None or symbol is None or line[0] == 0:
                later.append(equation)
                continue
            solution, remainder = divmod(equation.actual - line[1], line[0])
            if remainder or solution < 0:
                raise _mismatch(signature, equation, known, origins)
            known[symbol] = solution
            origins[symbol] = equation.place
        if len(later) == len(pending):
            equation = later[0]
            unknown = equation.expression.names - known.keys()
            raise ArgumentError(
                f"{signature.name}: {', '.join(sorted(unknown))} cannot be found from the arguments",
                parameter=equation.parameter.name,
                got=f"{equation.place} = {equation.actual}",
                needed=f"{equation.place} = {equation.expression}",
                hint="let each symbol be a dimension by itself in some tensor",
            )
        pending = later


def _mismatch(
    signature: KernelSignature, equation: _Equation, known: Mapping[str, int], origins: Mapping[str, str]
) -> ArgumentError:
    name = equation.parameter.name
    needed = f"{equation.place} = {equation.expression}"
    if equation.expression.names and equation.expression.names <= known.keys():
        sources = ", ".join(f"{symbol} = {known[symbol]} from {origins[symbol]}" for symbol in sorted(
            equation.expression.names))  # fmt: skip
        needed += f" = {equation.expression.evaluate(known)} ({sources})"
    got = f"{equation.place} = {equation.actual} (shape {equation.shape})"
    hint = f"{name} is declared {equation.parameter.describe()}"
    if equation.what == "stride":
        hint += f"; pass {name}.contiguous() or a view with the declared strides"
    return ArgumentError(
        f"{signature.name}: argument {name!r} has the wrong {equation.what}",
        parameter=name,
        got=got,
        needed=needed,
        hint=hint,
    )


def _linear(node: Node, known: Mapping[str, int]) -> tuple[int, int] | None:
    """(a, b) with node = a * unknown + b, or None where the unknown does not enter linearly."""
    if isinstance(node, Integer):
        return 0, node.value
    if isinstance(node, Name):
        return (0, known[node.name]) if node.name in known else (1, 0)
    if not isinstance(node, Binary):
        return None
    left, right = _linear(node.left, known), _linear(node.right, known)
    if left is None or right is None:
        return None
    if node.operator == "+":
        return left[0] + right[0], left[1] + right[1]
    if node.operator == "-":
        return left[0] - right[0], left[1] - right[1]
    if node.operator == "*" and (left[0] == 0 or right[0] == 0):
        return left[0] * right[1] + right[0] * left[1], left[1] * right[1]
    if node.operator in "/%" and left[0] == 0 and right[0] == 0 and right[1] != 0:
        return 0, left[1] // right[1] if node.operator == "/" else left[1] % right[1]
    return None
