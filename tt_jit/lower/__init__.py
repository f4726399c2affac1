"""The compiler, in order: from a traced TileLang program to reader, compute and writer kernels.

``PIPELINE`` is the table of contents. Every pass is ``IRModule -> IRModule``, in the file of its name, whose docstring
says why it exists and shows Before and After. ``docs/architecture.md`` walks through the same list.
"""

from __future__ import annotations

from tilelang import tvm

from .align_partial_accesses import align_partial_accesses
from .apply_tt_defaults import apply_tt_defaults
from .assign_roles import assign_roles
from .base import LoweringContext, PassTrace, function_pass, module_pass, run_pipeline
from .check_int64_arithmetic import check_int64_arithmetic
from .check_supported import check_supported
from .choose_dst_width import choose_dst_width
from .expand_reinterprets import expand_reinterprets
from .flatten_rows import flatten_rows
from .fold_accumulator_clears import fold_accumulator_clears
from .fuse_elementwise import fuse_elementwise
from .grid_to_persistent_tt import grid_to_persistent_tt
from .infer_default_tt_schedule import infer_default_tt_schedule
from .infer_default_tt_shard import infer_default_tt_shard
from .infer_tile_layout import infer_tile_layout
from .insert_cb_protocol import insert_cb_protocol
from .insert_inits import insert_inits
from .lower_debug_statements import lower_debug_statements
from .lower_im2col import lower_im2col
from .lower_reducers import lower_reducers
from .lower_scans import lower_scans
from .materialize_index_tiles import materialize_index_tiles
from .memory_space_lower_tt import memory_space_lower_tt
from .move_to_scalar_code import move_to_scalar_code
from .narrow_int64_tensors import narrow_int64_tensors
from .narrow_intermediates import narrow_intermediates
from .normalize_tile_program import normalize_tile_program
from .order_tensor_accesses import order_tensor_accesses
from .orient_vectors import orient_vectors
from .promote_scalar_variables import promote_scalar_variables
from .read_scalars import read_scalars
from .reduce_colliding_updates import reduce_colliding_updates
from .resolve_buffer_views import resolve_buffer_views
from .resolve_tensor_views import resolve_tensor_views
from .rewrite_atomics import rewrite_atomics
from .select_lanes import select_lanes
from .separate_partial_updates import separate_partial_updates
from .serialize_conflicting_blocks import serialize_conflicting_blocks
from .serialize_reductions import serialize_reductions
from .serialize_threads import serialize_threads
from .split_at_grid_syncs import split_at_grid_syncs
from .split_expressions import split_expressions
from .split_kernels import split_kernels
from .split_reductions import split_reductions
from .split_roles import split_roles
from .stage_global_accesses import stage_global_accesses
from .structure_loop_exits import structure_loop_exits
from .tensorize_tt import tensorize_tt
from .tile_pad_tt import tile_pad_tt
from .transpose_operands import transpose_operands
from .tt_shard_to_core_map import tt_shard_to_core_map
from .verify_tt_ir import verify_tt_ir
from .widen_integer_gemm import widen_integer_gemm

PIPELINE = (
    function_pass(apply_tt_defaults),
    function_pass(lower_debug_statements),
    # The tile program: one form for every construct, all data on chip.
    function_pass(rewrite_atomics),
    function_pass(serialize_threads),
    function_pass(normalize_tile_program),
    function_pass(structure_loop_exits),
    function_pass(resolve_tensor_views),
    function_pass(resolve_buffer_views),
    function_pass(narrow_int64_tensors),
    function_pass(promote_scalar_variables),
    function_pass(split_at_grid_syncs),
    module_pass(split_kernels),
    function_pass(select_lanes),
    function_pass(split_reductions),
    function_pass(serialize_reductions),
    function_pass(align_partial_accesses),
    function_pass(move_to_scalar_code),
    function_pass(check_int64_arithmetic),
    function_pass(reduce_colliding_updates),
    function_pass(lower_reducers),
    function_pass(lower_scans),
    function_pass(lower_im2col),
    function_pass(read_scalars),
    function_pass(check_supported),
    function_pass(stage_global_accesses),
    function_pass(fold_accumulator_clears),
    function_pass(narrow_intermediates),
    function_pass(expand_reinterprets),
    function_pass(widen_integer_gemm),
    function_pass(transpose_operands),
    function_pass(flatten_rows),
    function_pass(separate_partial_updates),
    function_pass(orient_vectors),
    function_pass(infer_tile_layout),
    function_pass(tile_pad_tt),
    function_pass(materialize_index_tiles),
    function_pass(choose_dst_width),
    function_pass(fuse_elementwise),
    function_pass(split_expressions),
    # Who does which block, and how tensors lie in DRAM.
    function_pass(serialize_conflicting_blocks),
    function_pass(infer_default_tt_schedule),
    module_pass(infer_default_tt_shard),
    function_pass(tt_shard_to_core_map),
    function_pass(grid_to_persistent_tt),
    function_pass(order_tensor_accesses),
    # Circular buffers.
    function_pass(assign_roles),
    function_pass(memory_space_lower_tt),
    function_pass(insert_cb_protocol),
    # Device calls.
    function_pass(tensorize_tt),
    function_pass(verify_tt_ir),
    module_pass(split_roles),
    module_pass(insert_inits),
)


def lower(
    module: tvm.IRModule, context: LoweringContext, *, trace: PassTrace | None = None, dump: bool = False
) -> tvm.IRModule:
    """Run the whole pipeline on ``module``; the result holds one PrimFunc per role."""
    return run_pipeline(module, PIPELINE, context, trace=trace, dump=dump)
