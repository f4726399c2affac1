"""RMS norm and layer norm: forward and backward."""

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[-1])
def rms_norm(rows, columns, block=32, epsilon=1e-6, dtype="bfloat16"):
    @T.prim_func
    def main(
        X: T.Tensor((rows, columns), dtype), Gain: T.Tensor((columns,), dtype), Y: T.Tensor((rows, columns), dtype)
    ):
        with T.Kernel(T.ceildiv(rows, block), threads=128) as by:
            x = T.alloc_fragment((block, columns), "float32")
            square = T.alloc_fragment((block, columns), "float32")
            gain = T.alloc_fragment((columns,), dtype)
            scale = T.alloc_fragment((block,), "float32")
            T.copy(X[by * block, 0], x)
            T.copy(Gain, gain)
            for i, j in T.Parallel(block, columns):
                square[i, j] = x[i, j] * x[i, j]
            T.reduce_sum(square, scale, dim=1)
            for i in T.Parallel(block):
                scale[i] = T.rsqrt(scale[i] / columns + epsilon)
            for i, j in T.Parallel(block, columns):
                x[i, j] = x[i, j] * scale[i] * gain[j]
            T.copy(x, Y[by * block, 0])

    return main


@tt.jit(out_idx=[-3, -2, -1])
def layer_norm_forward(rows, columns, block=32, epsilon=1e-5, dtype="bfloat16"):
    """Also returns the mean and reciprocal deviation of each row, which the backward pass needs."""

    @T.prim_func
    def main(
        X: T.Tensor((rows, columns), dtype),
        Gain: T.Tensor((columns,), dtype),
        Shift: T.Tensor((columns,), dtype),
        Y: T.Tensor((rows, columns), dtype),
        Mean: T.Tensor((rows,), "float32"),
        Rstd: T.Tensor((rows,), "float32"),
    ):
        with T.Kernel(T.ceildiv(rows, block), threads=128) as by:
            x = T.alloc_fragment((block, columns), "float32")
            square = T.alloc_fragment((block, columns), "float32")
            gain = T.alloc_fragment((columns,), dtype)
            shift = T.alloc_fragment((columns,), dtype)
            mean = T.alloc_fragment((block,), "float32")
            rstd = T.alloc_fragment((block,), "float32")
            T.copy(X[by * block, 0], x)
            T.copy(Gain, gain)
            T.copy(Shift, shift)
            T.reduce_sum(x, mean, dim=1)
            for i in T.Parallel(block):
                mean[i] = mean[i] / columns
            for i, j in T.Parallel(block, columns):
                x[i, j] = x[i, j] - mean[i]
            for i, j in T.Parallel(block, columns):
                square[i, j] = x[i, j] * x[i, j]
            T.reduce_sum(square, rstd, dim=1)
            for i in T.Parallel(block):
                rstd[i] = T.rsqrt(rstd[i] / columns + epsilon)
            for i, j in T.Parallel(block, columns):
                x[i, j] = x[i, j] * rstd[i] * gain[j] + shift[j]
            T.copy(x, Y[by * block, 0])
            T.copy(mean, Mean[by * block])
            T.copy(rstd, Rstd[by * block])

    return main


@tt.jit(out_idx=[-1])
def layer_norm_backward(rows, columns, block=32, dtype="bfloat16"):
    """dX; the gradients of gain and shift are added up over the blocks of rows."""

    @T.prim_func
    def main(
        dY: T.Tensor((rows, columns), dtype),
        X: T.Tensor((rows, columns), dtype),
        Gain: T.Tensor((columns,), dtype),
        Mean: T.Tensor((rows,), "float32"),
        Rstd: T.Tensor((rows,), "float32"),
        dGain: T.Tensor((columns,), "float32"),
        dShift: T.Tensor((columns,), "float32"),
        dX: T.Tensor((rows, columns), dtype),
    ):
        with T.Kernel(T.ceildiv(rows, block), threads=128) as by:
            x = T.alloc_fragment((block, columns), "float32")
            dy = T.alloc_fragment((block, columns), "float32")
            weighted = T.alloc_fragment((block, columns), "float32")
            product = T.alloc_fragment((block, columns), "float32")
            gain = T.alloc_fragment((columns,), dtype)
            mean = T.alloc_fragment((block,), "float32")
            rstd = T.alloc_fragment((block,), "float32")
            sum_weighted = T.alloc_fragment((block,), "float32")
            sum_product = T.alloc_fragment((block,), "float32")
            column_sum = T.alloc_fragment((columns,), "float32")
            T.copy(X[by * block, 0], x)
            T.copy(dY[by * block, 0], dy)
            T.copy(Gain, gain)
            T.copy(Mean[by * block], mean)
            T.copy(Rstd[by * block], rstd)
            for i, j in T.Parallel(block, columns):
                x[i, j] = (x[i, j] - mean[i]) * rstd[i]
            for i, j in T.Parallel(block, columns):
                weighted[i, j] = dy[i, j] * gain[j]
            for i, j in T.Parallel(block, columns):
                product[i, j] = weighted[i, j] * x[i, j]
            T.reduce_sum(weighted, sum_weighted, dim=1)
            T.reduce_sum(product, sum_product, dim=1)
            for i, j in T.Parallel(block, columns):
                weighted[i, j] = rstd[i] * (weighted[i, j] - (sum_weighted[i] + x[i, j] * sum_product[i]) / columns)
            T.copy(weighted, dX[by * block, 0])
            for i, j in T.Parallel(block, columns):
                product[i, j] = dy[i, j] * x[i, j]
            T.reduce_sum(product, column_sum, dim=0)
            T.atomic_add(dGain[0:columns], column_sum)
            T.reduce_sum(dy, column_sum, dim=0)
            T.atomic_add(dShift[0:columns], column_sum)

    return main


def main() -> None:
    torch.manual_seed(0)
    rows, columns = 64, 256
    x, dy = torch.randn(rows, columns).bfloat16(), torch.randn(rows, columns).bfloat16()
    gain, shift = torch.randn(columns).bfloat16(), torch.randn(columns).bfloat16()

    norm = x.double() * torch.rsqrt(x.double().square().mean(1, keepdim=True) + 1e-6)
    check("rms norm", rms_norm(rows, columns)(x, gain), norm * gain.double())

    y, mean, rstd = layer_norm_forward(rows, columns)(x, gain, shift)
    inputs = [t.double().requires_grad_() for t in (x, gain, shift)]
    exact = torch.nn.functional.layer_norm(inputs[0], (columns,), inputs[1], inputs[2], 1e-5)
    check("layer norm", y, exact.detach())

    exact.backward(dy.double())
    d_gain, d_shift = torch.zeros(columns), torch.zeros(columns)
    dx = layer_norm_backward(rows, columns)(dy, x, gain, mean, rstd, d_gain, d_shift)
    for name, result, tensor in [("dX", dx, inputs[0]), ("dGain", d_gain, inputs[1]), ("dShift", d_shift, inputs[2])]:
        assert tensor.grad is not None
        check(name, result, tensor.grad)


if __name__ == "__main__":
    main()
