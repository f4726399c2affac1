"""TIR statements compiled to closures. Parallel loops and, where the kernel names its thread index, threads become
numpy lanes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tilelang import tvm

from .expressions import MASK, PRIVATE_SCOPES, ExpressionCompiler, Frame, Scope, operator_name, pointee
from .formats import UnsupportedByInterpreter, Value, is_float
from .memory import Storage, accumulate, gather, scatter, scatter_target
from .thread_reduction import combiner, thread_reduction
from .tile_ops import REDUCTIONS, Run, TileOperations

tirx = tvm.tirx
SERIAL, PARALLEL, VECTORIZED, UNROLLED, THREAD_BINDING = range(5)
LANE_LOOPS = (PARALLEL, VECTORIZED)
DEFAULT_THREADS = (128, 1, 1)
"""What T.Kernel launches when it is given no number of threads."""

HINTS = frozenset(
    "tvm_storage_sync sync_threads sync_warp no_set_max_nreg set_max_nreg annotate_producer_reg_dealloc "
    "annotate_consumer_reg_alloc assume device_assert device_assert_with_msg fence_proxy_async loop_hint "
    "ptx_commit_group ptx_wait_group tvm_access_ptr wait_wgmma warpgroup_arrive pdl_trigger pdl_sync".split()
)
ATOMICS: dict[str, np.ufunc] = {"add": np.add, "max": np.maximum, "min": np.minimum, "or": np.bitwise_or}


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class StatementCompiler:
    """Compiles the body of one PrimFunc."""

    def __init__(self, scope: Scope, threads: bool) -> None:
        self.scope = scope
        self.threads = threads
        self.expressions = ExpressionCompiler(scope)
        self.tiles = TileOperations(self.expressions)
        self.formats = scope.formats
        self.depth = 3 if threads else 0
        self.extent: tuple[int, int, int] = DEFAULT_THREADS
        self.thread_combiner: np.ufunc | None = None
        self.expressions.fetch_atomic = self._fetch_atomic

    def compile(self, statement: Any) -> Run:
        method = getattr(self, f"_compile_{type(statement).__name__}", None)
        if method is None:
            raise UnsupportedByInterpreter(f"statement {type(statement).__name__}")
        run: Run = method(statement)
        return run

    def _compile_SeqStmt(self, statement: Any) -> Run:
        undefined = _uses_before_definition(statement, self.scope)
        runs = []
        for child in statement.seq:
            if isinstance(child, tirx.Bind) and child.var in undefined:
                self.scope.macros[child.var] = child.value
            else:
                runs.append(self.compile(child))

        def sequence(frame: Frame) -> None:
            for run in runs:
                run(frame)

        return sequence

    def _compile_Bind(self, statement: Any) -> Run:
        if isinstance(statement.value, tirx.Call) and operator_name(statement.value) == "launch_thread_idx":
            return self._thread_index(statement)
        if not self.expressions.is_lane_free(statement.value):
            self.scope.lane_dependent.add(statement.var)
        value = self.expressions.compile(statement.value)
        slot = self.scope.slot(statement.var)

        def bind(frame: Frame) -> None:
            # A load may be a view of its buffer, which later stores change; a bound value does not follow them.
            found = value(frame)
            frame[slot] = found.copy() if isinstance(found, np.ndarray) else found

        return bind

    def _thread_index(self, statement: Any) -> Run:
        axis = int(statement.value.args[0])
        slot = self.scope.slot(statement.var)
        if self.threads:
            self.scope.lane_axis[statement.var] = axis
        shape = [1] * self.scope.rank

        def bind(frame: Frame) -> None:
            if self.threads:
                extents = list(shape)
                extents[axis] = self.extent[axis]
                frame[slot] = np.arange(self.extent[axis]).reshape(extents)

        return bind

    def _compile_For(self, statement: Any) -> Run:
        kind = int(statement.kind)
        if kind in LANE_LOOPS:
            return self._lanes(statement)
        start, extent = self.expressions.compile(statement.min), self.expressions.compile(statement.extent)
        step_expr = getattr(statement, "step", None)
        step = self.expressions.compile(step_expr) if step_expr is not None else (lambda frame: 1)
        slot = self.scope.slot(statement.loop_var)
        body = self.compile(statement.body)

        def loop(frame: Frame) -> None:
            first, count, stride = start(frame), extent(frame), step(frame)
            if isinstance(first, np.ndarray) or isinstance(count, np.ndarray):
                _diverging_loop(frame, slot, first, count, body)
                return
            try:
                # The extent counts the range covered, so a step makes fewer iterations.
                for value in range(int(first), int(first + count), int(stride)):
                    frame[slot] = value
                    try:
                        body(frame)
                    except _Continue:
                        pass
            except _Break:
                pass

        return loop

    def _lanes(self, statement: Any) -> Run:
        axis = self.depth
        if axis >= self.scope.rank:
            raise UnsupportedByInterpreter("parallel loops nested deeper than counted")
        start, extent = self.expressions.compile(statement.min), self.expressions.compile(statement.extent)
        slot = self.scope.slot(statement.loop_var)
        self.scope.lane_axis[statement.loop_var] = axis
        self.depth += 1
        body = self.compile(statement.body)
        self.depth -= 1
        private = _private_storages(statement.body, self.scope)
        shape = [1] * self.scope.rank

        def parallel(frame: Frame) -> None:
            first, count = start(frame), extent(frame)
            outer_mask = frame[MASK]
            if isinstance(count, np.ndarray) or isinstance(first, np.ndarray):
                longest = int(np.max(count, initial=0))
                lanes = np.arange(longest).reshape([*shape[:axis], longest, *shape[axis + 1 :]])
                inside = lanes < count
                frame[MASK] = inside if outer_mask is None else outer_mask & inside
                frame[slot] = first + lanes
            else:
                longest = max(int(count), 0)
                frame[slot] = first + np.arange(longest).reshape([*shape[:axis], longest, *shape[axis + 1 :]])
            if longest:
                body(frame)
            frame[MASK] = outer_mask
            for storage in private:
                if frame[storage] is not None:
                    frame[storage].converge(axis)

        return parallel

    def _compile_While(self, statement: Any) -> Run:
        condition, body = self.expressions.compile(statement.condition), self.compile(statement.body)

        def loop(frame: Frame) -> None:
            outer_mask = frame[MASK]
            try:
                while True:
                    test = condition(frame)
                    if isinstance(test, np.ndarray):
                        active = test if frame[MASK] is None else test & frame[MASK]
                        if not active.any():
                            break
                        frame[MASK] = active
                    elif not test:
                        break
                    try:
                        body(frame)
                    except _Continue:
                        pass
            except _Break:
                pass
            frame[MASK] = outer_mask

        return loop

    def _compile_IfThenElse(self, statement: Any) -> Run:
        condition = self.expressions.compile(statement.condition)
        then_case = self.compile(statement.then_case)
        else_case = self.compile(statement.else_case) if statement.else_case is not None else None

        def branch(frame: Frame) -> None:
            test = condition(frame)
            if not isinstance(test, np.ndarray):
                if test:
                    then_case(frame)
                elif else_case is not None:
                    else_case(frame)
                return
            outer = frame[MASK]
            for chosen, case in ((test, then_case), (np.logical_not(test), else_case)):
                active = chosen if outer is None else np.logical_and(outer, chosen)
                if case is not None and active.any():
                    frame[MASK] = active
                    case(frame)
            frame[MASK] = outer

        return branch

    def _compile_SBlockRealize(self, statement: Any) -> Run:
        return self.compile(statement.block)

    def _compile_SBlock(self, block: Any) -> Run:
        annotations = block.annotations
        if "tl.launch_threads" in annotations:
            extents = [int(extent) for extent in annotations["tl.launch_threads"]]
            self.extent = (extents[0], extents[1], extents[2])
        for data, value in dict(annotations.get("safe_value_map", {})).items():
            self.scope.safe_values[data] = value
        for key in ("reducer_info", "reducer_info_v2"):
            for data, info in dict(annotations.get(key, {})).items():
                self.tiles.reducer_kinds[data] = str(info["op"])
        allocations = [self._allocation(buffer) for buffer in block.alloc_buffers]
        body = self.compile(block.body)

        def run(frame: Frame) -> None:
            for allocate in allocations:
                allocate(frame)
            body(frame)

        return run

    def _allocation(self, buffer: Any) -> Run:
        if any(word in buffer.scope() for word in ("barrier", "tmem")):
            return lambda frame: None
        access = self.expressions.buffer(buffer)
        formats = self.formats
        # A workspace in global memory outlives the block that declares it.
        keep = buffer.scope() == "global"

        def allocate(frame: Frame) -> None:
            if keep and frame[access.slot] is not None:
                return
            elements = int(np.prod(access.shape_of(frame), dtype=np.int64))
            frame[access.slot] = Storage.allocate(access.dtype, elements, formats)

        return allocate

    def _compile_AllocBuffer(self, statement: Any) -> Run:
        allocate = self._allocation(statement.buffer)
        body = getattr(statement, "body", None)
        if body is None:
            return allocate
        inner = self.compile(body)

        def run(frame: Frame) -> None:
            allocate(frame)
            inner(frame)

        return run

    def _compile_DeclBuffer(self, statement: Any) -> Run:
        body = getattr(statement, "body", None)
        return self.compile(body) if body is not None else (lambda frame: None)

    def _compile_AttrStmt(self, statement: Any) -> Run:
        if statement.attr_key == "reduce_scope":
            self.thread_combiner = combiner(statement.node)
        return self.compile(statement.body)

    def _compile_AssertStmt(self, statement: Any) -> Run:
        body = getattr(statement, "body", None)
        return self.compile(body) if body is not None else (lambda frame: None)

    def _compile_Evaluate(self, statement: Any) -> Run:
        call = statement.value
        if not isinstance(call, tirx.Call):
            return lambda frame: None
        name = operator_name(call)
        if name in HINTS:
            return lambda frame: None
        if name.startswith("tileop."):
            run = self.tiles.compile(call)
            return run
        if name == "reducer_update":
            return self._reducer_update(
                call.args[0], call.args[1], self.tiles.reducer_kinds.get(call.args[0].buffer.data, "sum")
            )
        if name in ("loop_break", "break_loop"):
            return _raiser(_Break)
        if name in ("continue_loop", "loop_continue"):
            return _raiser(_Continue)
        if name.startswith("atomic_"):
            return self._atomic(name, call)
        if name == "tvm_thread_allreduce":
            return thread_reduction(call, self.expressions, self.thread_combiner, lambda: self.extent)
        if name == "call_extern" and "debug_print" in str(call.args[0]):
            return lambda frame: None
        value = self.expressions.compile(call)

        def evaluate(frame: Frame) -> None:
            value(frame)

        return evaluate

    def _compile_BufferStore(self, statement: Any) -> Run:
        buffer = statement.buffer
        if buffer.scope() == "local.reducer" or buffer.data in self.tiles.reducer_kinds:
            update = _reducer_pattern(statement)
            if update is not None:
                load = tirx.BufferLoad(buffer, list(statement.indices))
                return self._reducer_update(load, update[1], update[0])
        access = self.expressions.buffer(buffer)
        indices = [self.expressions.compile(index) for index in statement.indices]
        value = self.expressions.compile(statement.value)
        source, cast = statement.value.dtype, self.formats.cast
        private = access.scope in PRIVATE_SCOPES
        own = {"private": private, "rank": self.scope.rank, "thread_axes": 3 if self.threads else 0}

        def store(frame: Frame) -> None:
            number = cast(source, access.dtype, value(frame))
            position = [index(frame) for index in indices]
            storage, shape, mask = access.storage(frame), access.shape_of(frame), frame[MASK]
            scalar = mask is None and storage.lanes is None and not isinstance(number, np.ndarray)
            if scalar and not any(isinstance(index, np.ndarray) for index in position):
                if all(0 <= i < n for i, n in zip(position, shape, strict=True)):
                    storage.view(access.dtype, shape)[tuple(position)] = number
                elif access.scope != "global":
                    raise IndexError(f"{access.name}{position} is outside {shape}")
                return
            scatter(
                scatter_target(storage, access.dtype, shape, position, mask, value=number, **own),
                number,
            )

        if private:
            return store
        return self._sliced_store(statement, access, value, store) or store

    def _sliced_store(self, statement: Any, access: Any, value: Any, general: Run) -> Run | None:
        plan = self.expressions.slice_plan(statement.indices)
        if plan is None:
            return None
        axes, offsets, slots = plan
        order = [axis for axis in axes if axis is not None]
        sorted_axes = sorted(order)
        permutation = [sorted_axes.index(axis) for axis in order]
        source, cast, rank = statement.value.dtype, self.formats.cast, self.scope.rank

        def store(frame: Frame) -> None:
            if frame[MASK] is not None:
                return general(frame)
            view = access.view(frame)
            index: list[Any] = []
            for axis, offset, slot, size in zip(axes, offsets, slots, view.shape, strict=True):
                start = offset(frame)
                if axis is None:
                    if isinstance(start, np.ndarray) or not 0 <= start < size:
                        return general(frame)
                    index.append(start)
                    continue
                lane = frame[slot].reshape(-1)
                low, high = start + int(lane[0]), start + int(lane[-1]) + 1
                if low < 0 or high > size:
                    return general(frame)
                index.append(slice(low, high))
            number = cast(source, access.dtype, value(frame))
            if isinstance(number, np.ndarray) and number.ndim == rank:
                if any(number.shape[axis] != 1 for axis in range(rank) if axis not in order):
                    return general(frame)
                number = number.reshape([number.shape[axis] for axis in sorted_axes]).transpose(permutation)
            view[tuple(index)] = number
            return None

        return store

    def _current_lanes(self) -> dict[int, int]:
        """Axis -> slot of the lanes in force: the enclosing parallel loops, else the threads. Each lane updates
        once."""
        first, last = (3, self.depth) if self.threads and self.depth > 3 else (0, self.depth)
        slots = self.scope.slots
        return {axis: slots[var] for var, axis in self.scope.lane_axis.items() if first <= axis < last and var in slots}

    def _reducer_update(self, load: Any, contribution: Any, kind: str) -> Run:
        access = self.expressions.buffer(load.buffer)
        indices = [self.expressions.compile(index) for index in load.indices]
        value = self.expressions.compile(contribution)
        ufunc = REDUCTIONS[kind][0]
        current = self._current_lanes()
        rank = self.scope.rank

        def update(frame: Frame) -> None:
            storage, shape = access.storage(frame), access.shape_of(frame)
            number = value(frame)
            position = [index(frame) for index in indices]
            target = scatter_target(storage, access.dtype, shape, position, frame[MASK], value=number)
            accumulate(target, ufunc, number, _lane_extents(frame, current, rank))

        return update

    def _atomic(self, name: str, call: Any) -> Run:
        words = name.split("_")
        kind = words[1]
        load = pointee(call.args[0])
        if kind in ("addx2", "addx4"):
            return self._atomic_vector(load, pointee(call.args[1]), int(kind[-1]))
        access = self.expressions.buffer(load.buffer)
        indices = [self.expressions.compile(index) for index in load.indices]
        value = self.expressions.compile(call.args[1])
        cast, source, rank = self.formats.cast, call.args[1].dtype, self.scope.rank
        current = self._current_lanes()

        def update(frame: Frame) -> None:
            storage, shape = access.storage(frame), access.shape_of(frame)
            number = cast(source, access.dtype, value(frame))
            position = [index(frame) for index in indices]
            target = scatter_target(storage, access.dtype, shape, position, frame[MASK], value=number)
            if kind == "store":
                scatter(target, number)
                return
            accumulate(target, ATOMICS[kind], number, _lane_extents(frame, current, rank))
            if is_float(access.dtype) and access.dtype != "float32":
                view = target.view
                view[...] = self.formats.round_to(access.dtype, view)

        return update

    def _fetch_atomic(self, call: Any) -> Callable[[Frame], Value]:
        """An atomic that returns the old value: lanes take their turns in order."""
        ufunc = ATOMICS[operator_name(call).split("_")[1]]
        load = pointee(call.args[0])
        access = self.expressions.buffer(load.buffer)
        indices = [self.expressions.compile(index) for index in load.indices]
        value = self.expressions.compile(call.args[1])
        cast, source, rank, current = self.formats.cast, call.args[1].dtype, self.scope.rank, self._current_lanes()

        def fetch(frame: Frame) -> Value:
            storage, shape = access.storage(frame), access.shape_of(frame)
            number = cast(source, access.dtype, value(frame))
            position = [index(frame) for index in indices]
            target = scatter_target(storage, access.dtype, shape, position, frame[MASK], value=number)
            lanes = np.broadcast_shapes(
                *(np.shape(i) for i in target.index),
                np.shape(number),
                np.shape(target.active),
                _lane_extents(frame, current, rank),
            )
            active = np.broadcast_to(target.active, lanes)
            numbers = np.broadcast_to(number, lanes)
            index = [np.broadcast_to(i, lanes) for i in target.index]
            old = np.zeros(lanes, target.view.dtype)
            for lane in np.ndindex(*lanes):
                if active[lane]:
                    where = tuple(i[lane] for i in index)
                    old[lane] = target.view[where]
                    target.view[where] = ufunc(target.view[where], numbers[lane])
            if len(lanes) < rank or old.size == 1:
                return old.reshape(-1)[0]
            return old

        return fetch

    def _atomic_vector(self, target_load: Any, source_load: Any, width: int) -> Run:
        target, source = self.expressions.buffer(target_load.buffer), self.expressions.buffer(source_load.buffer)
        to_index = [self.expressions.compile(index) for index in target_load.indices]
        from_index = [self.expressions.compile(index) for index in source_load.indices]
        rank = self.scope.rank

        def update(frame: Frame) -> None:
            for step in range(width):
                position = [index(frame) for index in to_index]
                origin = [index(frame) for index in from_index]
                position[-1], origin[-1] = position[-1] + step, origin[-1] + step
                value = gather(source.storage(frame), source.dtype, source.shape_of(frame), origin, 0)
                value = self.formats.cast(source.dtype, target.dtype, value)
                where = scatter_target(
                    target.storage(frame),
                    target.dtype,
                    target.shape_of(frame),
                    position,
                    frame[MASK],
                    value=value,
                )
                accumulate(where, np.add, value, ())

        return update


def _lane_extents(frame: Frame, lanes: dict[int, int], rank: int) -> tuple[int, ...]:
    extents = [1] * rank
    for axis, slot in lanes.items():
        extents[axis] = frame[slot].shape[axis]
    return tuple(extents)


def _raiser(exception: type[Exception]) -> Run:
    def run(frame: Frame) -> None:
        raise exception

    return run


def _diverging_loop(frame: Frame, slot: int, first: Value, count: Value, body: Run) -> None:
    """A serial loop whose trip count differs between lanes: lanes that have finished are masked."""
    outer = frame[MASK]
    for iteration in range(int(np.max(count, initial=0))):
        inside = iteration < np.asarray(count)
        frame[MASK] = inside if outer is None else np.logical_and(outer, inside)
        frame[slot] = first + iteration
        body(frame)
    frame[MASK] = outer


def _reducer_pattern(statement: Any) -> tuple[str, Any] | None:
    """(kind, contribution) of ``reducer[i] = reducer[i] <op> contribution``."""
    kinds: dict[Callable[..., Any], str] = {tirx.Add: "sum", tirx.Max: "max", tirx.Min: "min"}
    kind = kinds.get(type(statement.value))
    if kind is None:
        return None
    for own, other in ((statement.value.a, statement.value.b), (statement.value.b, statement.value.a)):
        if isinstance(own, tirx.BufferLoad) and own.buffer.same_as(statement.buffer):
            return kind, other
    return None


def _private_storages(body: Any, scope: Scope) -> list[int]:
    """Slots of the per-thread buffers that ``body`` stores to."""
    found: set[int] = set()

    def visit(node: Any) -> None:
        if isinstance(node, tirx.BufferStore) and node.buffer.scope() in PRIVATE_SCOPES:
            found.add(scope.storage_slot(node.buffer.data))

    tirx.stmt_functor.post_order_visit(body, visit)
    return sorted(found)


def _uses_before_definition(sequence: Any, scope: Scope) -> set[Any]:
    """Bound variables whose value uses a loop variable (or another such Bind) that is defined only later."""
    later: set[Any] = set()

    def visit(node: Any) -> None:
        if isinstance(node, tirx.For):
            later.add(node.loop_var)

    tirx.stmt_functor.post_order_visit(sequence, visit)
    early: set[Any] = set()
    for child in sequence.seq:
        if not isinstance(child, tirx.Bind):
            continue
        names: list[Any] = []
        tirx.stmt_functor.post_order_visit(
            child.value, lambda node: names.append(node) if isinstance(node, tirx.Var) else None
        )
        if any((name in later and name not in scope.slots) or name in early for name in names):
            early.add(child.var)
    return early
