"""Runs one case of the catalogue in this process and prints its outcomes as JSON lines. Started by harness.py."""

import contextlib
import importlib.util
import io
import json
import signal
import sys
import traceback
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from . import environment
from .catalogue import CASES
from .recorder import Recorder

CORE_COUNT = 64


class CaseTimeout(BaseException):
    """Not an Exception: examples that catch everything must not swallow it."""


def _builder(mode: str) -> Any:
    """What turns a PrimFunc into a kernel; None when kernels are only traced. Lowering alone gives no kernel."""
    if mode == "traced":
        return None
    if mode == "lowered":
        return _lower

    import tt_jit

    def build(func: Any, out_idx: Any) -> Any:
        # Outputs made with T.empty are recorded in the PrimFunc; naming them again is a conflict.
        eager = "tilelang_out_idx" in (func.attrs or {})
        return tt_jit.compile(func, out_idx=None if eager else out_idx)

    return build


def _lower(func: Any, out_idx: Any) -> None:
    from tt_jit.compile import CompileOptions, compile_prim_func
    from tt_jit.target import Target

    compile_prim_func(func, target=Target.named("wormhole_b0"), options=CompileOptions())


def _load(path: Path) -> Any:
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("example", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["example"] = module
    spec.loader.exec_module(module)
    return module


def _shrink(namespace: dict[str, Any], name: str, **sizes: Any) -> None:
    """Makes later calls of the example's function ``name`` use ``sizes`` instead of what its callers pass."""
    function = namespace[name]
    namespace[name] = lambda *args, **kwargs: function(*args, **{**kwargs, **sizes})


def run_case(checkout: Path, number: int, *, seconds: int, mode: str, dump: Path | None) -> list[dict[str, Any]]:
    case = CASES[number]
    environment.install("cpu", core_count=CORE_COUNT)
    recorder = Recorder(_builder(mode))
    environment.install_compiler(recorder.compile)

    def expire(*_: Any) -> None:
        raise CaseTimeout

    signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    problem = ""
    sys.argv = [case.path, *case.argv]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            module = _load(checkout / "examples" / case.path)
            module.__dict__["shrink"] = partial(_shrink, module.__dict__)
            exec(case.code, module.__dict__)
    except CaseTimeout:
        problem = f"time limit of {seconds} s"
    except SystemExit as error:
        problem = f"exit {error.code}"
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "examples" in frame.filename]
        where = f" at line {frames[-1].lineno}" if frames else f" [{traceback.extract_tb(error.__traceback__)[-1]}]"
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{where}"
    if mode != "traced":
        with contextlib.suppress(CaseTimeout):
            recorder.run_uncalled()
    signal.alarm(0)
    rows = [asdict(outcome) for outcome in recorder.outcomes.values()]
    for row in rows:
        script = row.pop("script")
        if dump is not None:
            stem = case.path.removesuffix(".py").replace("/", "__")
            (dump / f"{stem}__{row['kernel'].replace('#', '_')}.py").write_text(script)
    return [{"path": case.path, "code": case.code, "problem": problem, "kernels": rows}]


def main(arguments: list[str]) -> None:
    checkout, number, seconds, mode = arguments[:4]
    dump = Path(arguments[4]) if len(arguments) > 4 else None
    for row in run_case(Path(checkout), int(number), seconds=int(seconds), mode=mode, dump=dump):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
