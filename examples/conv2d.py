"""Two-dimensional convolution (channels last) as a matrix multiplication with T.im2col."""

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[-1])
def convolution(
    batch,
    height,
    width,
    channels,
    filters,
    kernel,
    stride,
    dilation,
    padding,
    block_M=64,
    block_N=64,
    block_K=32,
    dtype="bfloat16",
):
    out_height = (height + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    out_width = (width + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    rows = batch * out_height * out_width
    depth = kernel * kernel * channels

    @T.prim_func
    def main(
        Image: T.Tensor((batch, height, width, channels), dtype),
        Weight: T.Tensor((depth, filters), dtype),
        Output: T.Tensor((rows, filters), dtype),
    ):
        with T.Kernel(T.ceildiv(filters, block_N), T.ceildiv(rows, block_M), threads=128) as (bx, by):
            patches = T.alloc_shared((block_M, block_K), dtype)
            weight = T.alloc_shared((block_K, block_N), dtype)
            output = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(output)
            for k in T.Pipelined(T.ceildiv(depth, block_K), num_stages=2):
                T.im2col(Image, patches, by, k, kernel, stride, dilation, padding)
                T.copy(Weight[k * block_K, bx * block_N], weight)
                T.gemm(patches, weight, output)
            T.copy(output, Output[by * block_M, bx * block_N])

    return main


def main() -> None:
    torch.manual_seed(0)
    batch, height, width, channels, filters = 2, 12, 12, 32, 64
    image = torch.randn(batch, height, width, channels).bfloat16()
    for kernel, stride, dilation, padding in [(3, 1, 1, 1), (3, 2, 1, 1), (1, 1, 1, 0)]:
        weight = torch.randn(kernel, kernel, channels, filters).bfloat16()
        layer = convolution(batch, height, width, channels, filters, kernel, stride, dilation, padding)
        result = layer(image, weight.reshape(-1, filters))
        exact = torch.nn.functional.conv2d(
            image.double().permute(0, 3, 1, 2), weight.double().permute(3, 2, 0, 1), None, stride, padding, dilation
        ).permute(0, 2, 3, 1)
        check(f"{kernel} x {kernel}, stride {stride}", result, exact.reshape(-1, filters))


if __name__ == "__main__":
    main()
