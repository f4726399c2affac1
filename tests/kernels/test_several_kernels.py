"""Several T.Kernels in one function: run in order, exchange data through tensors and workspaces."""

import json
from pathlib import Path

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import assert_within, gemm_bound
from tt_jit.errors import UnsupportedError

# fmt: off


@tt.jit
def through_a_workspace(X, Y):
    M, N = T.const("M N")
    X: T.Tensor((M, N), "float32")
    Y: T.Tensor((N, M), "float32")
    doubled = T.alloc_global((M, N), "float32")
    with T.Kernel(T.ceildiv(M, 32), threads=128) as by:
        tile = T.alloc_fragment((32, N), "float32")
        T.copy(X[by * 32, 0], tile)
        for i, j in T.Parallel(32, N):
            tile[i, j] = tile[i, j] * 2.0
        T.copy(tile, doubled[by * 32, 0])
    with T.Kernel(T.ceildiv(M, 32), T.ceildiv(N, 32), threads=128) as (by, bx):
        tile = T.alloc_shared((32, 32), "float32")
        turned = T.alloc_shared((32, 32), "float32")
        T.copy(doubled[by * 32, bx * 32], tile)
        T.transpose(tile, turned)
        T.copy(turned, Y[bx * 32, by * 32])


@pytest.mark.parametrize("size", [(64, 96), (70, 50)])
def test_a_workspace_between_two_kernels(size):
    x, y = torch.randn(size), torch.zeros(size[1], size[0])
    through_a_workspace(x, y)
    assert torch.equal(y, 2 * x.T)


def test_files_and_plan(tmp_path: Path):
    kernel = through_a_workspace.compile(M=64, N=64)
    files = kernel.artifact.files if hasattr(kernel, "artifact") else {}
    plan = json.loads(files["tt.plan.json"])
    assert [program["name"] for program in plan["programs"]] == ["through_a_workspace_1", "through_a_workspace_2"]
    named = [item["file"] for program in plan["programs"] for item in program["kernels"]]
    assert named == [f"{number}/{role}.cpp" for number in (1, 2) for role in ("reader", "compute", "writer")]
    assert set(named) <= set(files)
    assert [(t["name"], t["param_index"]) for t in plan["tensors"]] == [("X", 0), ("Y", 1), ("doubled", None)]


@tt.jit
def logarithms_then_product(X, B, C):
    """The first kernel leaves log(0) = -inf behind the end of its rows; the product must not see it."""
    M, K, N = T.const("M K N")
    X: T.Tensor((M, K), "float32")
    B: T.Tensor((K, N), "float32")
    C: T.Tensor((M, N), "float32")
    A = T.alloc_global((M, K), "float32")
    with T.Kernel(T.ceildiv(M, 32), T.ceildiv(K, 32), threads=128) as (by, bx):
        tile = T.alloc_fragment((32, 32), "float32")
        T.copy(X[by * 32, bx * 32], tile)
        for i, j in T.Parallel(32, 32):
            tile[i, j] = T.log(tile[i, j])
        T.copy(tile, A[by * 32, bx * 32])
    with T.Kernel(T.ceildiv(M, 32), T.ceildiv(N, 32), threads=128) as (by, bx):
        a = T.alloc_shared((32, 32), "float32")
        b = T.alloc_shared((32, 32), "float32")
        c = T.alloc_fragment((32, 32), "float32")
        T.clear(c)
        for k in T.Pipelined(T.ceildiv(K, 32), num_stages=2):
            T.copy(A[by * 32, k * 32], a)
            T.copy(B[k * 32, bx * 32], b)
            T.gemm(a, b, c)
        T.copy(c, C[by * 32, bx * 32])


def test_what_a_kernel_writes_ends_with_zeros():
    x, b = torch.rand(50, 40) + 0.5, torch.randn(40, 64)
    c = torch.zeros(50, 64)
    logarithms_then_product(x, b, c)
    a = x.double().log()
    bound = gemm_bound(a.float(), b, torch.float32) + 2.0**-14 * (torch.ones_like(a) @ b.double().abs())
    assert_within(c, a @ b.double(), bound)


def test_statements_between_kernels_are_refused():
    @tt.jit
    def mixed(X):
        X: T.Tensor((32, 32), "float32")
        with T.Kernel(1, threads=128):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(X, tile)
            T.copy(tile, X)
        for _k in T.serial(2):
            with T.Kernel(1, threads=128):
                tile = T.alloc_fragment((32, 32), "float32")
                T.copy(X, tile)
                T.copy(tile, X)
        with T.Kernel(1, threads=128):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(X, tile)
            T.copy(tile, X)

    with pytest.raises(UnsupportedError, match=r"between two T\.Kernel blocks"):
        mixed(torch.zeros(32, 32))


@tt.jit(out_idx=[2])
def neighbours_meet(blocks):
    """Each block writes its half sum, waits for all others, and reads all of them."""

    @T.prim_func
    def main(
        X: T.Tensor((blocks * 32, 64), "float32"),
        W: T.Tensor((blocks * 32,), "float32"),
        Y: T.Tensor((blocks * 32,), "float32"),
    ):
        with T.Kernel(blocks) as bx:
            x = T.alloc_fragment((32, 64), "float32")
            own = T.alloc_fragment((32,), "float32")
            total = T.alloc_fragment((32,), "float32")
            T.copy(X[bx * 32, 0], x)
            T.reduce_max(x, own, dim=1)
            T.copy(own, W[bx * 32])
            T.sync_grid()
            T.fill(total, -T.infinity("float32"))
            for other in T.serial(blocks):
                T.copy(W[other * 32], own)
                for i in T.Parallel(32):
                    total[i] = T.max(total[i], own[i])
            T.copy(total, Y[bx * 32])

    return main


def test_blocks_wait_for_each_other():
    x = torch.randn(3 * 32, 64)
    workspace = torch.full((3 * 32,), 1e30)
    y = neighbours_meet(3)(x, workspace)
    maxima = x.amax(1).view(3, 32)
    assert torch.equal(y, maxima.amax(0).repeat(3))
    assert torch.equal(workspace, maxima.reshape(-1))
