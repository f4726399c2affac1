"""ttnn's exceptions become short messages; the texts are ones that ttnn 0.81.1 raised."""

from __future__ import annotations

from pathlib import Path

from tt_jit.errors import DeviceError, KernelCompileError, L1OverflowError, TTJitError
from tt_jit.runtime.ttnn_errors import translate

BACKTRACE = (
    "\nbacktrace:\n --- libtt_metal.so(+0xd4d820) [0x7fa9e314d820]\n --- tt::tt_metal::detail::ProgramImpl::compile\n"
)
COMPILE = (
    "TT_THROW @ /project/tt_metal/impl/program/program.cpp:419: tt::exception\ninfo:\nFailed to generate binaries for "
    "Kernel_Source_Code TT_THROW @ build.cpp:149: tt::exception\ninfo:\ntrisc0 build failed. "
    "Log: In file included from tt_metal/hw/ckernels/chlkc_list.h:26,\n                 from trisck.cc:16:\n"
    "compute.cpp: In function 'void kernel_main()':\n"
    "compute.cpp:3:5: error: 'no_such_call' was not declared in this scope\n"
)
LINK = "info:\nFailed to generate binaries for x\nncrisc build failed. Log: ld: region overflowed by 1024 bytes\n"
L1 = (
    "TT_THROW @ program.cpp:2567: tt::exception\ninfo:\n"
    "Statically allocated circular buffers on core range [0-0 - 0-0] grow to 2153824 B "
    "which is beyond max L1 size of 1499136 B"
)


def translated(text: str, folder: Path) -> TTJitError:
    error = translate(
        RuntimeError(text + BACKTRACE),
        kernel="main",
        files=("compute.cpp",),
        directory=folder,
        log=folder / "log" / "x.log",
    )
    assert "backtrace" not in str(error)
    assert (folder / "log" / "x.log").read_text() == text + BACKTRACE
    assert str(folder / "log" / "x.log") in str(error)
    return error


def test_compile_error_has_kernel_thread_line_and_source(tmp_path: Path) -> None:
    (tmp_path / "compute.cpp").write_text("void kernel_main() {\n  {\n    no_such_call();\n")
    error = translated(COMPILE, tmp_path)
    assert isinstance(error, KernelCompileError)
    assert "compute.cpp:3" in error.message and "unpack thread" in error.message
    assert "'no_such_call' was not declared" in error.message
    assert error.location is not None and error.location.line == 3
    assert "no_such_call();" in str(error)


def test_link_error_names_the_processor(tmp_path: Path) -> None:
    error = translated(LINK, tmp_path)
    assert isinstance(error, KernelCompileError)
    assert "NCRISC" in error.message and "overflowed by 1024 bytes" in error.message


def test_circular_buffers_beyond_l1(tmp_path: Path) -> None:
    error = translated(L1, tmp_path)
    assert isinstance(error, L1OverflowError)
    assert "2153824" in error.message and "1499136" in error.message


def test_timeout_points_to_the_emulator(tmp_path: Path) -> None:
    error = translated("info:\nTIMEOUT: device timeout, potential hang detected", tmp_path)
    assert isinstance(error, DeviceError)
    assert "emulator" in (error.hint or "")


def test_anything_else_keeps_its_first_line(tmp_path: Path) -> None:
    error = translated("TT_FATAL @ x.cpp:1: condition\ninfo:\nOut of memory: 3 banks\nmore", tmp_path)
    assert isinstance(error, DeviceError)
    assert error.message == "main: Out of memory: 3 banks"
