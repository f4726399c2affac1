"""A mixture-of-experts layer: tokens are gathered by expert, pass its gated feed-forward network, and are weighted."""

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[-1])
def expert_layer(tokens, picks, experts, tiles, hidden, inner, block_M=32, block_N=64, block_K=64, dtype="bfloat16"):
    """Row r of the output is weight[r] * expert(x[token[r]]); rows are sorted by expert and padded to whole blocks.

    The two kernels run one after the other; the second reads what the first wrote.
    """

    @T.prim_func
    def main(
        X: T.Tensor((tokens, hidden), dtype),
        Gate: T.Tensor((experts, hidden, inner), dtype),
        Up: T.Tensor((experts, hidden, inner), dtype),
        Down: T.Tensor((experts, inner, hidden), dtype),
        Token: T.Tensor((picks,), "int32"),
        Weight: T.Tensor((picks,), "float32"),
        Expert: T.Tensor((tiles,), "int32"),
        Middle: T.Tensor((picks, inner), dtype),
        Output: T.Tensor((picks, hidden), "float32"),
    ):
        with T.Kernel(tiles, T.ceildiv(inner, block_N), threads=128) as (bx, by):
            x = T.alloc_shared((block_M, block_K), dtype)
            gate = T.alloc_shared((block_K, block_N), dtype)
            up = T.alloc_shared((block_K, block_N), dtype)
            gated = T.alloc_fragment((block_M, block_N), "float32")
            upped = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(gated)
            T.clear(upped)
            for k in T.Pipelined(T.ceildiv(hidden, block_K), num_stages=2):
                for i, j in T.Parallel(block_M, block_K):
                    x[i, j] = X[Token[bx * block_M + i], k * block_K + j]
                T.copy(Gate[Expert[bx], k * block_K : (k + 1) * block_K, by * block_N : (by + 1) * block_N], gate)
                T.copy(Up[Expert[bx], k * block_K : (k + 1) * block_K, by * block_N : (by + 1) * block_N], up)
                T.gemm(x, gate, gated)
                T.gemm(x, up, upped)
            for i, j in T.Parallel(block_M, block_N):
                upped[i, j] = upped[i, j] * gated[i, j] * T.sigmoid(gated[i, j])
            T.copy(upped, Middle[bx * block_M, by * block_N])

        with T.Kernel(tiles, T.ceildiv(hidden, block_N), threads=128) as (bx, by):
            middle = T.alloc_shared((block_M, block_K), dtype)
            down = T.alloc_shared((block_K, block_N), dtype)
            weight = T.alloc_fragment((block_M,), "float32")
            result = T.alloc_fragment((block_M, block_N), "float32")
            T.copy(Weight[bx * block_M], weight)
            T.clear(result)
            for k in T.Pipelined(T.ceildiv(inner, block_K), num_stages=2):
                T.copy(Middle[bx * block_M, k * block_K], middle)
                T.copy(Down[Expert[bx], k * block_K : (k + 1) * block_K, by * block_N : (by + 1) * block_N], down)
                T.gemm(middle, down, result)
            for i, j in T.Parallel(block_M, block_N):
                result[i, j] = result[i, j] * weight[i]
            T.copy(result, Output[bx * block_M, by * block_N])

    return main


def main() -> None:
    torch.manual_seed(0)
    tokens, hidden, inner, experts, per_token, block = 96, 128, 128, 4, 2, 32
    x = torch.randn(tokens, hidden).bfloat16()
    gate, up = (torch.randn(experts, hidden, inner).bfloat16() / 8 for _ in range(2))
    down = torch.randn(experts, inner, hidden).bfloat16() / 8
    weights, chosen = torch.randn(tokens, experts).softmax(-1).topk(per_token, -1)

    token, weight, expert = [], [], []
    for index in range(experts):
        rows, slots = torch.where(chosen == index)
        padding = -len(rows) % block
        token += [*rows.tolist(), *[0] * padding]
        weight += [*weights[rows, slots].tolist(), *[0.0] * padding]
        expert += [index] * ((len(rows) + padding) // block)
    picks = torch.tensor(token, dtype=torch.int32)
    layer = expert_layer(tokens, len(token), experts, len(expert), hidden, inner)
    middle = torch.zeros(len(token), inner, dtype=torch.bfloat16)
    parts = layer(x, gate, up, down, picks, torch.tensor(weight), torch.tensor(expert, dtype=torch.int32), middle)
    result = torch.zeros(tokens, hidden).index_add_(0, picks.long(), parts)

    exact = torch.zeros(tokens, hidden, dtype=torch.float64)
    for index in range(experts):
        rows, slots = torch.where(chosen == index)
        gated = x[rows].double() @ gate[index].double()
        inside = gated * torch.sigmoid(gated) * (x[rows].double() @ up[index].double())
        exact.index_add_(0, rows, inside @ down[index].double() * weights[rows, slots].double()[:, None])
    check("mixture of experts", result, exact)


if __name__ == "__main__":
    main()
