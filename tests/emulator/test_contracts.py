"""Every broken contract stops the launch with an error that names core, role, line, circular buffer and a remedy.

One pair of kernels holds all mistakes, each under its number, so that they are compiled once. The line with the mistake
carries its number in a comment: `// mistake 4`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tt_jit.errors import DeadlockError, DeviceError, EmulatorError, L1OverflowError
from tt_jit.plan import Scalar
from tt_jit.runtime.emulator import EmulatedKernel

from .programs import COPY_FILES, PROLOGUE, address, circular_buffer, copy_plan, kernel, load, plan, scalar, tensor

READER = (
    PROLOGUE
    + """
void send(uint32_t pages) {
    constexpr auto args = TensorAccessorArgs<0>();
    const auto a = TensorAccessor(args, get_common_arg_val<uint32_t>(0));
    cb_reserve_back(0, pages);
    for (uint32_t page = 0; page < pages; ++page) noc_async_read_page(page, a, get_write_ptr(0) + page * 2048);
    noc_async_read_barrier();
    cb_push_back(0, pages);
}

void kernel_main() {
    constexpr auto args = TensorAccessorArgs<0>();
    const auto a = TensorAccessor(args, get_common_arg_val<uint32_t>(0));
    const uint32_t l1 = get_write_ptr(0);
    const uint32_t scratch = get_semaphore(0);
    volatile uint32_t zero = 0;
    switch (get_common_arg_val<uint32_t>(1)) {
        case 1: cb_push_back(0, 1); break;  // mistake 1
        case 2: cb_reserve_back(0, 5); break;  // mistake 2
        case 3:
            send(3);
            cb_reserve_back(0, 3);
            cb_push_back(0, 3);  // mistake 3
            break;
        case 4:
            cb_reserve_back(0, 1);
            noc_async_read_page(0, a, l1);
            cb_push_back(0, 1);  // mistake 4
            break;
        case 6: noc_async_read_page(0, a, l1); break;  // mistake 6
        case 7:
            cb_reserve_back(0, 1);
            noc_async_read(a.get_noc_addr(0, 16), l1, 32);  // mistake 7
            break;
        case 8: noc_async_read_page(1000, a, l1); break;  // mistake 8
        case 9: cb_reserve_back(0, get_arg_val<uint32_t>(9)); break;  // mistake 9
        case 10: cb_reserve_back(0, get_common_arg_val<uint32_t>(10)); break;  // mistake 10
        case 11: noc_async_read_page(0, a, 0x100); break;  // mistake 11
        case 12: noc_async_read(get_noc_addr(63, 63, 0), l1, 32); break;  // mistake 12
        case 13: noc_async_read(get_noc_addr_from_bank_id<true>(3, 0x3fff0000), l1, 32); break;  // mistake 13
        case 14:
            cb_reserve_back(0, 1);
            noc_async_read_page(0, a, l1);  // mistake 14
            break;
        case 19: send(1); break;
        case 20:
            send(2);
            cb_wait_front(0, 1);
            break;
        case 21: send(2); break;
        case 23: TensorAccessor(args, get_common_arg_val<uint32_t>(0), 1024); break;  // mistake 23
        case 24: TensorAccessor(args, 64); break;  // mistake 24
        case 25:
            cb_reserve_back(0, 1);
            noc_async_read_page(0, a, l1, 64);  // mistake 25
            break;
        case 26: cb_reserve_back(31, 1); break;  // mistake 26
        case 27: noc_async_read(a.get_noc_addr(0), l1, 0); break;  // mistake 27
        case 28: *reinterpret_cast<volatile uint32_t*>(l1 - 0x9000000) = 1; break;
        case 29: cb_reserve_back(0, 100 / zero); break;
        case 30: noc_async_read_one_packet(a.get_noc_addr(0), l1, 8224); break;  // mistake 30
        case 32: cb_reserve_back(0, get_semaphore(7)); break;  // mistake 32
        case 33:
            cb_reserve_back(0, 1);
            noc_async_read_page(0, a, l1);
            noc_async_write(l1, a.get_noc_addr(1), 2048);  // mistake 33
            break;
        case 34:
            send(1);
            cb_reserve_back(1, 1);
            noc_async_read_page(0, a, get_write_ptr(1));
            noc_async_read_barrier();
            noc_async_write(get_write_ptr(1), get_noc_addr(l1), 2048);  // mistake 34
            break;
        case 35:
            cb_reserve_back(0, 1);
            cb_push_back(0, 1);  // nobody has written to the page
            break;
        case 36: send(1); break;
        case 41:
            cb_reserve_back(0, 4);
            while (!cb_pages_reservable_at_back(0, 5)) {  // mistake 41
            }
            break;
        case 38:
            noc_semaphore_inc(get_noc_addr(my_x[noc_index], my_y[noc_index], get_semaphore(0)), 1);  // mistake 38
            break;
        case 39: noc_semaphore_wait((volatile tt_l1_ptr uint32_t*)get_semaphore(0), 1); break;  // mistake 39
        case 40:
            // The semaphore's 16 bytes to a rectangle that holds the sender alone.
            noc_async_write_multicast(scratch, get_noc_multicast_addr(18, 18, 18, 18, l1), 16, 1);  // mistake 40
            break;
        default: send(4);
    }
}
"""
)

WRITER = (
    PROLOGUE
    + """
void kernel_main() {
    constexpr auto args = TensorAccessorArgs<0>();
    const auto b = TensorAccessor(args, get_common_arg_val<uint32_t>(0));
    const uint32_t l1 = get_read_ptr(0);
    switch (get_common_arg_val<uint32_t>(1)) {
        case 3:
            cb_wait_front(0, 3);
            cb_pop_front(0, 3);
            break;
        case 5:
            cb_wait_front(0, 1);
            cb_pop_front(0, 2);  // mistake 5
            break;
        case 15:
            cb_wait_front(0, 4);
            noc_async_write_page(0, b, l1);  // mistake 15
            noc_async_writes_flushed();
            cb_pop_front(0, 4);
            break;
        case 16:
            cb_wait_front(0, 4);
            noc_async_write_page(0, b, l1);
            cb_pop_front(0, 4);  // mistake 16
            break;
        case 17:
            cb_wait_front(0, 1);
            noc_async_write_page(0, b, l1 + 2048);  // mistake 17
            break;
        case 19:
            cb_wait_front(0, 1);
            cb_reserve_back(0, 1);  // mistake 19
            break;
        case 20:
            cb_wait_front(0, 1);  // mistake 20
            break;
        case 21:
            cb_wait_front(0, 1);
            cb_pop_front(0, 1);
            break;
        case 22: {
            constexpr auto a_args = TensorAccessorArgs<args.next_compile_time_args_offset()>();
            const auto a = TensorAccessor(a_args, get_common_arg_val<uint32_t>(2));
            cb_wait_front(0, 4);
            noc_async_write_page(0, a, l1);  // mistake 22
            break;
        }
        case 31:
            cb_wait_front(0, 4);
            noc_async_write(l1, get_noc_addr(my_x[noc_index] + 1, my_y[noc_index], l1), 32);  // mistake 31
            break;
        case 35:
            cb_wait_front(0, 1);
            noc_async_write_page(0, b, l1);  // mistake 35
            break;
        case 36:
            cb_wait_front(0, 2);  // mistake 36
            break;
        case 37:
            cb_wait_front(0, 3);
            cb_pop_front(0, 3);
            cb_wait_front(0, 1);
            noc_async_write_page(0, b, get_read_ptr(0), 1024);
            noc_async_write_page(0, b, get_read_ptr(0) + 1024, 2048);  // mistake 37
            break;
    }
}
"""
)


@dataclass(frozen=True)
class Mistake:
    number: int
    role: str
    message: str
    hint: str
    buffer: str | None = None
    has_line: bool = True


MISTAKES = [
    Mistake(1, "reader", "pushes 1 pages to stream, but only 0 are reserved", "cb_reserve_back", "stream"),
    Mistake(2, "reader", "asks for 5 pages of stream, which has 4", "fewer pages", "stream"),
    Mistake(
        3, "reader", "pushes 3 pages to stream from page 3 of 4: the block wraps", "multiple of the block", "stream"
    ),
    Mistake(4, "reader", "while the NoC read of line", "noc_async_read_barrier", "stream"),
    Mistake(5, "writer", "pops 2 pages from stream, but only 1 have been waited for", "cb_wait_front", "stream"),
    Mistake(6, "reader", "of which only 0 pages are reserved by the reader", "cb_reserve_back", "stream"),
    Mistake(7, "reader", "misaligned NoC read", "64 bytes"),
    Mistake(8, "reader", "page 1000 of A, which has 4 pages", "page ids count from 0"),
    Mistake(9, "reader", "get_arg_val(9): the kernel has 2 per-core arguments", "arguments of this kernel"),
    Mistake(10, "reader", "get_common_arg_val(10): the kernel has 2 common arguments", "arguments of this kernel"),
    Mistake(11, "reader", "L1 address 0x100 (2048 bytes) is outside", "get_write_ptr"),
    Mistake(12, "reader", "leads to (63, 63)", "get_noc_addr"),
    Mistake(13, "reader", "DRAM bank 3, offset 0x3fff0000, 32 bytes: no tensor lives there", "TensorAccessor"),
    Mistake(14, "reader", "the kernel ends with 1 NoC reads in flight", "noc_async_read_barrier"),
    Mistake(15, "writer", "the kernel ends with 1 NoC writes not acknowledged", "noc_async_write_barrier"),
    Mistake(16, "writer", "pops pages of stream while the NoC write of line", "noc_async_writes_flushed", "stream"),
    Mistake(17, "writer", "of which only 1 pages have been waited for by the writer", "cb_wait_front", "stream"),
    Mistake(19, "writer", "writer is a second producer of stream: the reader", "exactly one producer", "stream"),
    Mistake(20, "writer", "writer is a second consumer of stream: the reader", "exactly one", "stream"),
    Mistake(21, "reader", "1 of 2 pages pushed to stream were never popped", "same number of pages", "stream", False),
    Mistake(22, "writer", "writes to A, which the plan declares as read only", "access"),
    Mistake(23, "reader", "pages of 1024 bytes on A, whose pages have 2048", "page size"),
    Mistake(24, "reader", "a TensorAccessor at address 0x40, where no tensor begins", "address argument"),
    Mistake(
        25, "reader", "2048 bytes from offset 64 of a page of A, which has 2048 bytes", "get_noc_addr(page, offset)"
    ),
    Mistake(26, "reader", "the plan has no circular buffer 31", "circular_buffers"),
    Mistake(27, "reader", "a NoC transfer of 0 bytes", "skip the transfer"),
    Mistake(28, "reader", "which is outside L1", "get_write_ptr", None, False),
    Mistake(29, "reader", "the kernel divides by zero", "guard the division", None, False),
    Mistake(30, "reader", "a single packet of 8224 bytes; the NoC carries at most 8192", "noc_async_read"),
    Mistake(31, "writer", "the L1 of core (1, 0), which is not part of the program", "cores of the program"),
    Mistake(32, "reader", "semaphore 7; the program declares 1", "semaphores"),
    Mistake(33, "reader", "sends data that the NoC read of line", "noc_async_read_barrier"),
    Mistake(34, "reader", "moves 2048 bytes into stream", "cb_reserve_back", "stream"),
    Mistake(35, "writer", "sends page 0 of stream, which was never written", "without writing", "stream"),
    Mistake(36, "writer", "the reader has ended after pushing 1 page", "waits for more pages than are ever", "stream"),
    Mistake(37, "writer", "past the end of stream", "multiple of the block", "stream"),
    Mistake(38, "reader", "the kernel ends with 1 semaphore increments not acknowledged", "noc_async_atomic_barrier"),
    Mistake(39, "reader", "semaphore wants 1, holds 0", "no core raises"),
    Mistake(41, "reader", "asked 1000000 times for 5 pages in vain", "cb_reserve_back", "stream"),
    Mistake(40, "reader", "multicast to 0 cores, but num_dests is 1", "without the sender"),
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> EmulatedKernel:
    made = plan(
        [
            tensor("A", 0, (64, 64), access="read"),
            tensor("B", 1, (64, 64), access="write"),
        ],
        [
            kernel("reader", ["A"], [address("A"), scalar("mistake")]),
            kernel("writer", ["B", "A"], [address("B"), scalar("mistake"), address("A")]),
        ],
        [circular_buffer(0, "stream", 4), circular_buffer(1, "other", 2)],
        semaphores=1,
        scalars=[Scalar(name="mistake", param_index=2, dtype="int32")],
    )
    return load(made, {"reader.cpp": READER, "writer.cpp": WRITER}, tmp_path_factory.mktemp("contracts"))


def tensors() -> list[torch.Tensor]:
    return [torch.ones(64, 64, dtype=torch.bfloat16), torch.zeros(64, 64, dtype=torch.bfloat16)]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: str(mistake.number))
def test_mistake_is_named(loaded: EmulatedKernel, mistake: Mistake) -> None:
    with pytest.raises(EmulatorError) as caught:
        loaded.launch(tensors(), [mistake.number])
    error = caught.value
    assert mistake.message in error.message
    assert error.hint is not None and mistake.hint in error.hint
    assert (error.core, error.role, error.circular_buffer) == ((0, 0), mistake.role, mistake.buffer)
    assert isinstance(error, DeadlockError) == (mistake.number in (36, 39))
    assert error.location is not None and Path(error.location.file).name == f"{mistake.role}.cpp"
    if mistake.has_line:
        text = (READER if mistake.role == "reader" else WRITER).splitlines()
        assert text[error.location.line - 1].endswith(f"// mistake {mistake.number}")


def test_numbers_are_unique_and_in_the_kernels() -> None:
    numbers = [mistake.number for mistake in MISTAKES]
    assert len(set(numbers)) == len(numbers)
    assert all(f"case {number}:" in READER + WRITER for number in numbers)


def test_the_emulator_works_on_after_a_failure(loaded: EmulatedKernel, tmp_path: Path) -> None:
    a, b = tensors()
    for mistake in (28, 36, 29):
        with pytest.raises(EmulatorError):
            loaded.launch([a, b], [mistake])
    made = copy_plan(tensor("A", 0, (64, 64), access="read"), tensor("B", 1, (64, 64), access="write"), 2048, pages=4)
    load(made, COPY_FILES, tmp_path).launch([a, b], [])
    assert torch.equal(a, b)


def test_a_failed_launch_leaves_the_outputs_alone(loaded: EmulatedKernel) -> None:
    a, b = tensors()
    with pytest.raises(EmulatorError):
        loaded.launch([a, b], [16])
    assert bool((b == 0).all())


def test_a_core_without_semaphores_is_alone(tmp_path: Path) -> None:
    reaching = COPY_FILES["writer.cpp"].replace(
        "noc_async_write_page(page, b, get_read_ptr(cb_stream));",
        "noc_async_write(get_read_ptr(cb_stream), get_noc_addr(my_x[noc_index] + 1, my_y[noc_index], 64), 64);",
    )
    made = copy_plan(tensor("A", 0, (64, 64), access="read"), tensor("B", 1, (64, 64), access="write"), 2048, pages=4)
    loaded = load(made, {**COPY_FILES, "writer.cpp": reaching}, tmp_path)
    with pytest.raises(EmulatorError, match=r"the L1 of core \(1, 0\), but the program declares no semaphore"):
        loaded.launch(tensors(), [])


def test_circular_buffers_that_do_not_fit(tmp_path: Path) -> None:
    made = copy_plan(
        tensor("A", 0, (64, 64), access="read"), tensor("B", 1, (64, 64), access="write"), 2048, pages=4, cb_pages=700
    )
    loaded = load(made, COPY_FILES, tmp_path)
    with pytest.raises(L1OverflowError) as caught:
        loaded.launch(tensors(), [])
    assert "need 1433600 bytes of L1, but a core has 1391000" in caught.value.message
    assert "stream: 700 pages of 2048 bytes" in caught.value.message
    assert caught.value.hint is not None and "smaller blocks" in caught.value.hint


@pytest.mark.parametrize("read", ["noc_async_read_page(page, a, ", "noc_async_read<8192>(a.get_noc_addr(page), "])
def test_an_output_is_not_read_before_it_is_written(read: str, tmp_path: Path) -> None:
    reader = COPY_FILES["reader.cpp"]
    if "read<" in read:
        reader = reader.replace("get_write_ptr(cb_stream));", "get_write_ptr(cb_stream), 2048);")
    reader = reader.replace("noc_async_read_page(page, a, ", read)
    made = copy_plan(tensor("A", 0, (64, 64), access="write"), tensor("B", 1, (64, 64), access="write"), 2048, pages=4)
    loaded = load(made, {**COPY_FILES, "reader.cpp": reader}, tmp_path)
    with pytest.raises(EmulatorError, match="reads page 0 of A, which nobody has written"):
        loaded.launch(tensors(), [])


def test_a_tensor_that_does_not_fit_the_chip(tmp_path: Path) -> None:
    rows = 13 * 2**30 // 2 // 1024  # 13 GiB, where the chip has 12; address space only, as nothing is touched
    made = copy_plan(
        tensor("A", 0, (rows, 1024), access="read"), tensor("B", 1, (32, 32), access="write"), 2048, pages=1
    )
    loaded = load(made, COPY_FILES, tmp_path)
    huge = torch.empty(1, dtype=torch.bfloat16).expand(rows, 1024)
    with pytest.raises(DeviceError, match=r"tensor A: .* does not fit the chip's DRAM"):
        loaded.launch([huge, torch.zeros(32, 32, dtype=torch.bfloat16)], [])
