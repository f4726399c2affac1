"""Every setting of tt_jit in one table: name, environment variable, type, default, meaning, and whether it changes
generated code.

The environment is read once, when a setting is first used; afterwards the value lives here, so that a warm call reads
no environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tt_jit.errors import TTJitError


class ConfigError(TTJitError, ValueError):
    """A setting has a value that it cannot have."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row of the table. `parse` takes the text of the variable; `check` takes a value set from Python."""

    name: str
    env: str
    type_name: str
    default: Any
    default_text: str
    help: str
    in_key: bool
    parse: Callable[[str], Any]
    check: Callable[[Any], bool]


def _parse_bool(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("needs 1, true, yes, on, 0, false, no or off")


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_optional_path(value: Any) -> bool:
    return value is None or (isinstance(value, (str, Path)) and str(value) != "")


def _is_positive_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _one_of(*allowed: str) -> Callable[[Any], bool]:
    return lambda value: value in allowed


def _is_device(value: Any) -> bool:
    if value in ("auto", "emulator", "ttnn"):
        return True
    kind, separator, number = value.partition(":") if isinstance(value, str) else ("", "", "")
    return kind == "ttnn" and separator == ":" and number.isdigit()


def _default_cache_dir() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "tt_jit")


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="cache_dir",
        env="TT_JIT_CACHE_DIR",
        type_name="path",
        default=_default_cache_dir,
        default_text="`$XDG_CACHE_HOME/tt_jit`, else `~/.cache/tt_jit`",
        help="Folder of the kernel cache. One folder may serve several processes at once.",
        in_key=False,
        parse=str,
        check=lambda value: isinstance(value, (str, Path)) and str(value) != "",
    ),
    Setting(
        name="disable_cache",
        env="TT_JIT_DISABLE_CACHE",
        type_name="bool",
        default=False,
        default_text="`0`",
        help="Neither read nor write kernels on disk. Kernels are then kept in memory and in a temporary folder only.",
        in_key=False,
        parse=_parse_bool,
        check=_is_bool,
    ),
    Setting(
        name="device",
        env="TT_JIT_DEVICE",
        type_name="`auto`, `emulator`, `ttnn`, `ttnn:N`",
        default="auto",
        default_text="`auto`",
        help="Where kernels run. `auto` takes the chip (or Tenstorrent's simulator) when there is one and ttnn is "
        "installed, else the emulator.",
        in_key=False,
        parse=str,
        check=_is_device,
    ),
    Setting(
        name="target",
        env="TT_JIT_TARGET",
        type_name="`wormhole_b0`, `blackhole`",
        default="wormhole_b0",
        default_text="`wormhole_b0`",
        help="The chip to compile for on the emulator. On a real chip the chip itself decides.",
        in_key=True,
        parse=str,
        check=_one_of("wormhole_b0", "blackhole"),
    ),
    Setting(
        name="precision",
        env="TT_JIT_PRECISION",
        type_name="`accurate`, `fast`",
        default="accurate",
        default_text="`accurate`",
        help="`accurate` never computes less precisely than the kernel's dtypes; `fast` keeps intermediates in "
        "bfloat16 and takes approximate functions (docs/numerics.md). Decorators, calls and kernels may say otherwise.",
        in_key=True,
        parse=str,
        check=_one_of("accurate", "fast"),
    ),
    Setting(
        name="dump_dir",
        env="TT_JIT_DUMP_DIR",
        type_name="path",
        default=None,
        default_text="unset",
        help="Write the IR after every pass to numbered files in this folder. Setting it compiles anew, whatever the "
        "cache holds.",
        in_key=False,
        parse=str,
        check=_is_optional_path,
    ),
    Setting(
        name="cxx",
        env="TT_JIT_CXX",
        type_name="command",
        default=None,
        default_text="unset: g++, clang++, then the `ziglang` wheel",
        help="The C++ compiler with which the emulator compiles kernels.",
        in_key=False,
        parse=str,
        check=lambda value: value is None or _is_text(value),
    ),
    Setting(
        name="emulator_threads",
        env="TT_JIT_EMULATOR_THREADS",
        type_name="integer > 0",
        default=1,
        default_text="`1`",
        help="Host threads among which the emulator shares the cores of the chip. Results do not depend on it.",
        in_key=False,
        parse=int,
        check=_is_positive_int,
    ),
    Setting(
        name="emulator_exact",
        env="TT_JIT_EMULATOR_EXACT",
        type_name="bool",
        default=False,
        default_text="`0`",
        help="Round matmuls and sums exactly as the chip's matrix unit does, to compare with a chip. A GEMM takes "
        "20 times longer.",
        in_key=False,
        parse=_parse_bool,
        check=_is_bool,
    ),
    Setting(
        name="convert_layouts",
        env="TT_JIT_CONVERT_LAYOUTS",
        type_name="bool",
        default=False,
        default_text="`0`",
        help="ttnn tensors whose pages are not in the kernel's order are reordered on the chip at every call, "
        "instead of being refused.",
        in_key=False,
        parse=_parse_bool,
        check=_is_bool,
    ),
    Setting(
        name="verbose",
        env="TT_JIT_VERBOSE",
        type_name="bool",
        default=False,
        default_text="`0`",
        help="Tell on standard error what is traced, compiled and found in the cache, and what of a kernel is slow.",
        in_key=False,
        parse=_parse_bool,
        check=_is_bool,
    ),
)

_BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}


class Config:
    """The settings as attributes. Assignment and `scope` check the value."""

    _values: dict[str, Any]
    # Grows with every change; a cached decision that depends on settings compares this one number.
    generation: int

    def __init__(self) -> None:
        object.__setattr__(self, "_values", {})
        object.__setattr__(self, "generation", 0)

    def __getattr__(self, name: str) -> Any:
        if name not in _BY_NAME:
            raise AttributeError(f"tt_jit has no setting {name!r}; it has {', '.join(_BY_NAME)}")
        values = self._values
        if name not in values:
            values[name] = _initial_value(_BY_NAME[name])
        return values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _BY_NAME:
            raise AttributeError(f"tt_jit has no setting {name!r}; it has {', '.join(_BY_NAME)}")
        setting = _BY_NAME[name]
        if not setting.check(value):
            _refuse(setting, f"config.{name}", value)
        self._values[name] = value
        object.__setattr__(self, "generation", self.generation + 1)

    def __dir__(self) -> list[str]:
        return [*_BY_NAME, "scope", "reload", "key_items"]

    def __repr__(self) -> str:
        return "Config(" + ", ".join(f"{name}={getattr(self, name)!r}" for name in _BY_NAME) + ")"

    @contextmanager
    def scope(self, **settings: Any) -> Iterator[Config]:
        """Set some settings for the time of a `with` block."""
        before = {name: getattr(self, name) for name in settings}
        try:
            for name, value in settings.items():
                setattr(self, name, value)
            yield self
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def reload(self) -> None:
        """Forget all values, so that the environment is read again."""
        self._values.clear()
        object.__setattr__(self, "generation", self.generation + 1)

    def key_items(self) -> tuple[tuple[str, Any], ...]:
        """The settings that change generated code, for the cache key."""
        return tuple((setting.name, getattr(self, setting.name)) for setting in SETTINGS if setting.in_key)


def _initial_value(setting: Setting) -> Any:
    text = os.environ.get(setting.env)
    if text is None:
        return setting.default() if callable(setting.default) else setting.default
    try:
        value = setting.parse(text)
    except ValueError:
        _refuse(setting, setting.env, text)
    if not setting.check(value):
        _refuse(setting, setting.env, text)
    return value


def _refuse(setting: Setting, source: str, value: object) -> NoReturn:
    raise ConfigError(
        f"{source} is {value!r}, but it needs to be: {setting.type_name.replace('`', '')}",
        hint=f"{setting.name}: {setting.help}",
    )


def environment_table() -> str:
    """The text of docs/env_vars.md."""
    rows = []
    for setting in SETTINGS:
        cells = (f"`{setting.env}`", f"`config.{setting.name}`", setting.type_name, setting.default_text)
        rows.append(f"| {' | '.join(cells)} | {'yes' if setting.in_key else 'no'} | {setting.help} |")
    return "\n".join(
        [
            "# Settings",
            "",
            "Every setting is an environment variable and an attribute of `tt_jit.config`. The environment is read",
            "once, when the setting is first used. From Python: `tt_jit.config.verbose = True`, or for a while",
            '`with tt_jit.config.scope(target="blackhole"): ...`. A value that a setting cannot have is an error,',
            "never ignored. This page is written by `python docs/write_env_vars.py`.",
            "",
            "| variable | attribute | values | default | part of the cache key | meaning |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


config = Config()
