"""dst_program: order, registers, copies before in-place calls, and operands straight from circular buffers."""

from collections.abc import Callable

from tvm import tirx as tir

from tt_jit.lower.dst_program import DstProgram, Node, schedule

BUFFERS = {name: tir.decl_buffer((32, 32), "float32", name) for name in "abcdefgh"}
ZERO = tir.IntImm("int32", 0)


def load(name: str) -> Node:
    return Node(operation="load", buffer=BUFFERS[name], index=ZERO)


def binary(operation: str, left: Node, right: Node, coarse: bool = True) -> Node:
    return Node(operation=f"{operation}_binary_tile", children=(left, right), coarse=coarse)


def unary(operation: str, child: Node) -> Node:
    return Node(operation=f"{operation}_tile", children=(child,), in_place=True)


def scheduled(*roots: Node, fpu: Callable[[tir.Buffer], bool] = lambda buffer: False) -> DstProgram:
    return schedule(list(roots), fpu_formats=fpu)


def text(program: DstProgram) -> list[str]:
    """``operation buffers slots`` of every step."""
    return [
        " ".join([step.operation, *(buffer.name for buffer in step.buffers), *map(str, step.slots)])
        for step in program.steps
    ]


def test_a_register_is_used_again_when_its_value_is_dead() -> None:
    program = scheduled(unary("exp", binary("add", load("a"), load("b"))))
    assert text(program) == ["copy_tile a 0", "copy_tile b 1", "add_binary_tile 0 1 0", "exp_tile 0"]
    assert (program.slots, program.results) == (2, (0,))


def test_the_deeper_operand_comes_first() -> None:
    deep = binary("add", binary("mul", load("b"), load("c")), binary("mul", load("d"), load("e")))
    program = scheduled(binary("sub", load("a"), deep))
    assert program.slots == 3, "with `a` first, four registers would be alive"
    assert text(program)[-2:] == ["copy_tile a 1", "sub_binary_tile 1 0 1"]


def test_a_balanced_tree_of_eight_needs_four() -> None:
    level = [load(name) for name in "abcdefgh"]
    while len(level) > 1:
        level = [binary("add", *level[n : n + 2]) for n in range(0, len(level), 2)]
    assert scheduled(level[0]).slots == 4


def test_a_chain_needs_two() -> None:
    node = load("a")
    for name in "bcdefgh":
        node = binary("add", node, load(name))
    assert scheduled(node).slots == 2


def test_a_value_that_is_needed_again_is_copied_before_an_in_place_call() -> None:
    x = binary("add", load("a"), load("b"))
    program = scheduled(binary("mul", unary("exp", x), x))
    assert text(program) == [
        "copy_tile a 0",
        "copy_tile b 1",
        "add_binary_tile 0 1 0",
        "copy_dest_values 0 1",
        "exp_tile 1",
        "mul_binary_tile 1 0 1",
    ]
    assert program.slots == 2


def test_the_last_use_of_a_value_needs_no_copy() -> None:
    x = load("a")
    assert "copy_dest_values" not in " ".join(text(scheduled(unary("tanh", unary("exp", x)))))


def test_an_operand_that_occurs_twice_is_loaded_once() -> None:
    x = load("a")
    assert text(scheduled(binary("mul", x, x))) == ["copy_tile a 0", "mul_binary_tile 0 0 0"]


def test_two_results_stay_in_registers_of_their_own() -> None:
    x = load("a")
    program = scheduled(unary("exp", x), unary("tanh", x))
    assert len(set(program.results)) == 2
    assert text(program) == ["copy_tile a 0", "copy_dest_values 0 1", "exp_tile 1", "tanh_tile 0"]


def test_the_matrix_engine_takes_two_rings_at_once() -> None:
    program = scheduled(binary("add", load("a"), load("b")), fpu=lambda buffer: True)
    assert text(program) == ["add_tiles a b 0"]


def test_the_matrix_engine_adds_only_where_its_rounding_does_no_harm() -> None:
    exact = scheduled(binary("sub", load("a"), load("b"), coarse=False), fpu=lambda buffer: True)
    assert text(exact) == ["copy_tile a 0", "copy_tile b 1", "sub_binary_tile 0 1 0"]
    product = binary("mul", load("a"), load("b"), coarse=False)
    assert text(scheduled(product, fpu=lambda buffer: True)) == ["mul_tiles a b 0"]


def test_the_matrix_engine_takes_only_formats_it_reads_without_loss() -> None:
    program = scheduled(binary("add", load("a"), load("b")), fpu=lambda buffer: buffer.name == "a")
    assert text(program) == ["copy_tile a 0", "copy_tile b 1", "add_binary_tile 0 1 0"]


def test_a_broadcast_vector_comes_from_its_ring_too() -> None:
    node = Node(operation="sfpu_sub_bcast_col", children=(load("a"), load("b")), in_place=True, coarse=True)
    assert text(scheduled(node, fpu=lambda buffer: True)) == ["sub_tiles_bcast_cols a b 0"]
    assert text(scheduled(node)) == ["copy_tile a 0", "copy_tile b 1", "sfpu_sub_bcast_col 0 1"]


def test_a_value_with_another_use_is_not_taken_from_its_ring() -> None:
    x = load("a")
    steps = text(scheduled(binary("sub", binary("mul", x, load("b")), x), fpu=lambda buffer: True))
    assert "mul_tiles a b" not in " ".join(steps) and steps.count("copy_tile a 0") == 1


def test_a_product_of_the_matrix_engine_needs_a_register_that_is_still_zero() -> None:
    """mul_tiles adds to what DST holds; the acquire cleared registers that nobody has written since."""
    first = unary("exp", binary("add", load("a"), load("b")))
    program = scheduled(
        binary("div", unary("sqrt", first), binary("mul", load("c"), load("d"))),
        fpu=lambda buffer: buffer.name in "cd",
    )
    steps = text(program)
    product = next(step for step in steps if step.startswith("mul_tiles"))
    slot = product.split()[-1]
    written = [step.split()[-1] for step in steps[: steps.index(product)]]
    assert slot not in written
