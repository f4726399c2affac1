"""Which example runs at which small shapes: for every example module, the code that calls it (in the module's own
namespace).

``shrink(name, **sizes)`` is provided: it makes later calls of the module's function ``name`` use the given arguments.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Case:
    """One example module and how to run it."""

    path: str
    code: str
    argv: tuple[str, ...] = ()
    gpu_only: str = ""
    """Why no portable backend can run it, or the pinned wheel cannot trace it; empty for portable examples."""


def _case(path: str, code: str, argv: str = "") -> Case:
    return Case(path=path, code=code, argv=tuple(argv.split()))


def _gpu(path: str, reason: str) -> Case:
    return Case(path=path, code="main()", gpu_only=reason)


_SMALL_CHUNKS = "shrink('run_test', S=128, H=2); main()"

CASES: tuple[Case, ...] = (
    _case("quickstart.py", "pass"),
    _case("gemm/example_gemm.py", "main()"),
    _case("gemm/example_gemm_autotune.py", "main(256, 256, 256)"),
    _case("gemm/example_gemm_advanced_autotune.py", "main(256, 256, 256)"),
    _case("gemm/example_gemm_autotune_pass_configs.py", "main(256, 256, 256); main_decorator(256, 256, 256)"),
    _case("gemm/example_gemm_autotune_early_stop.py", "M = N = K = 256; run_api_mode(); run_decorator_mode()"),
    _case("gemm/example_gemm_persistent.py", "main(512, 512, 256)"),
    _case("gemm_splitk/example_tilelang_gemm_splitk.py", "main()"),
    _case("gemm_splitk/example_tilelang_gemm_splitk_vectorize_atomicadd.py", "main()"),
    _case("gemm_streamk/example_tilelang_gemm_streamk.py", "main()"),
    _case("gemm_fp8/example_tilelang_gemm_fp8.py", "test_gemm_fp8(256, 256, 256, T.float8_e4m3fn)"),
    _case("gemm_fp8/example_tilelang_gemm_fp8_2xAcc.py", "test_gemm_fp8(256, 256, 512, T.float8_e4m3fn)"),
    _gpu("gemm_fp8/example_tilelang_gemm_amd.py", "k_pack of T.gemm, which the wheel lacks"),
    _case("gemm_int4/example_tilelang_gemm_int4.py", "check_int4_gemm_correctness(256, 256, 256)"),
    _case("gemv/example_gemv.py", "main(do_bench=False)", "--n 128 --k 256"),
    _case(
        "deepseek_deepgemm/example_deepgemm_fp8_2xAcc.py",
        "assert_tl_gemm_correctness(256, 256, 512, 128, T.float8_e4m3fn, T.bfloat16, T.float32)",
    ),
    _case("blocksparse_gemm/example_blocksparse_gemm.py", "main()", "--m 256 --n 256 --k 256"),
    _case(
        "grouped_gemm/example_grouped_gemm_fwd.py",
        "run_tilelang_grouped_gemm([63, 77], 256, 256, 64, 64, 64, False, 2, 256)",
    ),
    _case(
        "grouped_gemm/example_grouped_gemm_bwd.py",
        "exec(compile(open(__file__).read(), __file__, 'exec'), {'__name__': '__main__', '__file__': __file__})",
        "--batch_sizes 64,128 --K 256 --M 256",
    ),
    _gpu("grouped_gemm/example_grouped_gemm_fwd_ptr.py", "raw device pointers in a tensor"),
    _case("gemm_tcgen05/gemm_mma.py", "pass"),
    _case("visual_layout_inference/visual_layout_inference.py", "main()"),
    _case(
        "analyze/example_gemm_analyze.py",
        "M = N = K = 256; compiled = kernel.compile(block_M=128, block_N=128, block_K=32, num_stages=3, "
        "thread_num=128, enable_rasteration=True); compiled.get_profiler().run_once()",
    ),
    _case("dynamic_shape/example_dynamic.py", "main(256, 256, 256)"),
    _case("elementwise/example_elementwise_add.py", "main(256, 256)"),
    _case("online_softmax/online_softmax.py", "pass"),
    _case(
        "norm/rms_norm.py",
        "test_rms_norm(64, 256, 1); kernel = rms_norm_splitk.compile(M=64, N=1024, blk_m=1, blk_k=512); "
        "kernel.get_profiler().assert_allclose(ref_program, rtol=0.01, atol=0.01)",
    ),
    _case(
        "norm/layernorm.py",
        "x = torch.randn(64, 256, dtype=torch.bfloat16, requires_grad=True); g = torch.randn(256, "
        "dtype=torch.bfloat16, requires_grad=True); b = torch.randn(256, dtype=torch.bfloat16, "
        "requires_grad=True); y = layer_norm(x, g, b, 1e-5); torch.testing.assert_close(y, ref_program(x, g, "
        "b, 1e-5), rtol=1e-2, atol=1e-2); y.backward(torch.randn(64, 256, dtype=torch.bfloat16))",
    ),
    _gpu("hadamard_transform/example_hadamard.py", "warp shuffles"),
    _case("topk/example_topk.py", "main(['--M', '64', '--N', '128', '--topk', '6', '--blk_m', '64'])"),
    _case("rand/rand_uint.py", "test_rand_1d(512, 123)"),
    _case(
        "convolution/example_convolution.py", "main(['--n', '2', '--c', '64', '--h', '16', '--w', '16', '--f', '128'])"
    ),
    _case("convolution/example_convolution_autotune.py", "main(2, 64, 16, 16, 128, 3, 1, 1, 1, False, False)"),
    _case(
        "analyze/example_conv_analyze.py",
        "compiled = kernel.compile(N=1, C=64, H=16, W=16, F=128, K=3, S=1, D=1, P=1, block_M=64, block_N=128, "
        "block_K=32, num_stages=3, threads=256); compiled.get_profiler().run_once()",
    ),
    _case("cast/example_per_token_cast_to_fp8.py", "main(64, 512, 8)"),
    _case("cast/example_group_per_split_token_cast_to_fp8.py", "main(128, 256, 2, 8, [40, 88])"),
    # Attention
    _case("flash_attention/example_mha_fwd_bshd.py", "main(1, 2, 256, 64, False); main(1, 2, 256, 64, True)"),
    _case("flash_attention/example_mha_fwd_bhsd.py", "main(1, 2, 256, 256, 64, False); main(1, 2, 128, 256, 64, True)"),
    _case("flash_attention/example_gqa_fwd_bshd.py", "main(1, 4, 256, 64, True, 2)"),
    _case("flash_attention/example_mha_fwd_varlen.py", "main(2, 2, 128, 64, False)"),
    _case("flash_attention/example_gqa_fwd_varlen.py", "main(2, 4, 128, 128, 64, 2, True)"),
    _case("flash_attention/example_mha_bwd_bhsd.py", "main(1, 2, 256, 64, True)"),
    _case("flash_attention/example_mha_bwd_bshd.py", "main(1, 2, 256, 64, True)"),
    _case(
        "flash_attention/example_gqa_bwd.py",
        "main(1, 4, 256, 64, 64, 2, True, True); main(1, 4, 256, 64, 64, 2, False, False)",
    ),
    _case("flash_attention/example_gqa_bwd_tma_reduce.py", "main(1, 4, 256, 64, 64, 2, True, True)"),
    _case("flash_attention/example_gqa_bwd_tma_reduce_varlen.py", "main(1, 4, 256, 64, 64, 2, True, True)"),
    _case(
        "attention_sink/example_mha_sink_fwd_bhsd.py", "main(1, 2, 256, 256, 64, None); main(1, 2, 256, 256, 64, 128)"
    ),
    _gpu("amd/example_amd_flash_attn_fwd.py", "k_pack of T.gemm, which the wheel lacks"),
    _gpu("amd/example_amd_flash_attn_bwd.py", "k_pack of T.gemm, which the wheel lacks"),
    _case("attention_sink/example_gqa_sink_fwd_varlen.py", "main(1, 4, 128, 128, 64, 2, True, None)"),
    # These two keep one sink per head in a buffer that they fill for each of a block's 64 rows: 64 heads at least.
    _case("attention_sink/example_mha_sink_bwd_bhsd.py", "main(1, 64, 64, 64, None)"),
    _case("attention_sink/example_gqa_sink_bwd_bhsd.py", "main(1, 64, 64, 64, 8, None)"),
    _case("attention_sink/example_gqa_sink_bwd_varlen.py", "main(1, 4, 128, 128, 64, 2, True, None)"),
    _case("block_causal_attention/block_causal_attention.py", "_run_fixed_case(1, 128, 2, 64, 32)"),
    _case(
        "block_causal_attention/block_causal_attention_varlen.py",
        "_run_varlen_case([128, 256], heads=2, dim=64, dllm_block=32)",
    ),
    _case("blocksparse_attention/example_tilelang_block_sparse_attn.py", "main()"),
    _case(
        "blocksparse_attention/example_tilelang_sparse_gqa_decode_paged.py",
        "import argparse; main(argparse.Namespace(batch=2, heads=16, heads_kv=2, max_cache_seqlen=512, "
        "dim=64, dim_v=64, sparse_ratio=0.5, block_N=64, page_block_size=128, num_pages=16))",
    ),
    _case(
        "blocksparse_attention/example_tilelang_sparse_gqa_decode_varlen_indice.py",
        "main(2, 16, 2, 512, 64, 64, 0.5, 32)",
    ),
    _case(
        "blocksparse_attention/example_tilelang_sparse_gqa_decode_varlen_mask.py",
        "main(2, 16, 2, 512, 64, 64, 0.5, 32)",
    ),
    _case("seer_attention/block_sparse_attn_tilelang.py", "main()"),
    _gpu("minference/example_vertical_slash_sparse_attn.py", "mbarriers, warp specialisation, a CUDA extension"),
    _case("flash_decoding/example_gqa_decode.py", "main(1, 16, 2, 512, 64)"),
    _case("flash_decoding/example_mha_inference.py", "main(1, 2, 128, 512, 64, False)"),
    _case(
        "flash_decoding/example_gqa_decode_varlen_logits.py",
        "import argparse; test_varlen_decode_main(argparse.Namespace(batch_size=2, q_heads=16, kv_heads=2, "
        "k_seqlen=256, head_size=64, block_size=64, num_split=1, dtype='float16', test_sink=False, "
        "test_varlen=True, benchmark=False))",
    ),
    _case("deepseek_mla/example_mla_decode.py", "main(1, 64, 1, 256, 128, 64)"),
    _gpu("deepseek_mla/example_mla_decode_ws.py", "mbarriers, warp specialisation"),
    _case(
        "deepseek_mla/example_mla_decode_persistent.py",
        "main()",
        "--batch 2 --heads 128 --kv_heads 1 --kv_ctx 256 --dim 128 --pe_dim 64",
    ),
    _case(
        "deepseek_mla/example_mla_decode_paged.py",
        "b, s_q, h_q, h_kv, d, dv, block_size = 2, 1, 64, 1, 192, 128, 64; "
        "cache_seqlens = torch.tensor([256, 258], dtype=torch.int32); max_pad = 512; q = torch.randn(b, s_q, "
        "h_q, d, dtype=torch.float16); block_table = torch.arange(b * max_pad // block_size, "
        "dtype=torch.int32).view(b, max_pad // block_size); blocked_k = torch.randn(block_table.numel(), "
        "block_size, h_kv, d, dtype=torch.float16); run_tilelang_mla(q, block_table, blocked_k, max_pad, "
        "block_size, b, s_q, cache_seqlens, h_q, h_kv, d, dv, True, torch.float16)",
    ),
    _case(
        "deepseek_mla/experimental/example_mla_decode_kv_fp8.py",
        "kernel = flashattn(1, 64, 1, 256, 128, 64, 64, 64); kernel.get_profiler().run_once()",
    ),
    _case(
        "deepseek_mla/amd/benchmark_mla_decode_amd_tilelang.py",
        "for splits in (1, 4): kernel = flashmla_decode(1, 64, 1, 256, 128, 64, 32, 64, splits, threads=128); "
        "kernel.get_profiler().run_once()",
    ),
    _case("deepseek_nsa/example_tilelang_nsa_fwd.py", "main()"),
    _case(
        "deepseek_nsa/benchmark/benchmark_nsa_fwd.py",
        "benchmark_nsa(1, 128, 1, 16, 64, 4, 32, torch.float16, 0.1, 0, 1)",
    ),
    _case("deepseek_nsa/example_tilelang_nsa_decode.py", "main()"),
    _case(
        "deepseek_nsa/example_tilelang_nsa_fwd_varlen.py",
        "exec(compile(open(__file__).read(), __file__, 'exec'), {'__name__': '__main__', '__file__': __file__})",
    ),
    _case(
        "deepseek_nsa/example_tilelang_nsa_bwd.py",
        "exec(compile(open(__file__).read(), __file__, 'exec'), {'__name__': '__main__', '__file__': __file__})",
    ),
    _case(
        "deepseek_v32/fp8_lighting_indexer.py",
        "shrink('generate_random_cu_seqlens', average_q_len=64); "
        "test_fp8_lighting_indexer(S=128, SKV=256, H=32, HKV=1, D=64, kv_stride=1)",
    ),
    _case(
        "deepseek_v32/sparse_mla_fwd.py",
        "test_sparse_mla_fwd(B=1, S=16, SKV=128, H=64, HKV=1, DQK=576, DV=512, topk=64)",
    ),
    _gpu("deepseek_v32/sparse_mla_fwd_pipelined.py", "mbarriers, warp specialisation"),
    _gpu("deepseek_v32/sparse_mla_fwd_seesaw.py", "mbarriers, warp specialisation"),
    _case(
        "deepseek_v32/sparse_mla_bwd.py",
        "test_sparse_mla_bwd(B=1, S=16, SKV=128, H=64, HKV=1, DQKV=576, DV=512, topk=64)",
    ),
    _gpu("deepseek_v32/inference/kernel.py", "compiler options of an older TileLang, which the wheel lacks"),
    _case("deepseek_v32/topk_selector.py", "test_topk_selector(2, 4096, 256)"),
    _case(
        "deepseek_v4/act_quant.py",
        "x = torch.randn(64, 256).bfloat16(); fp8_act_quant(x, block_size=128, round_scale=False); "
        "fp8_act_quant(x, block_size=128, round_scale=True); test_fp4_act_quant(64, 256, 32)",
    ),
    _case("deepseek_v4/sparse_attn_fwd_sm90.py", "test_correctness(1, 64, 32, 256, 64, 64)"),
    _case("deepseek_mhc/example_mhc_post.py", "test(n=32, h=1280)"),
    _case("deepseek_mhc/example_mhc_pre.py", "test(n=64, hidden_size=1280, hc_mult=4)"),
    _case(
        "deepseek_mhc/example_mhc_bwd.py",
        "R, _ = sinkhorn_forward(torch.rand(64, 16, 16) * 4, 20); "
        "sinkhorn_bwd_implicit_cg.compile(n_stream=16)(R, torch.randn_like(R))",
    ),
    _case("dsa_hisa/block_sparse_mqa_fp8.py", "test_fp8_block_sparse_mqa(64, 64, 128, 128, 2, 1)"),
    _case("dsa_hisa/clean_and_maintain_logits.py", "test_clean_and_maintain_logits(64, 256, 1)"),
    _case("dsa_hisa/fp8_block_mean_pooling.py", "test_fp8_block_mean_pooling(512, 128, 128, 1)"),
    _case("dsa_hisa/pool_mqa_fp8.py", "test_pool_mqa_fp8(512, 64, 128, 128, 4, 1)"),
    _case(
        "dsa_hisa/hisa.py", "test_hisa(M=256, H=64, D=128, k_block_size=128, block_topk=2, topk_tokens=128, num_seqs=1)"
    ),
    _case("dsa_sparse_finetune/indexer_bwd.py", "test_kernel(B=1, S=1088, H=16, D=64, topk=64)"),
    _case("dsa_sparse_finetune/indexer_topk_reducesum.py", "test_kernel(B=1, S=128, H=16, D=64, topk=64)"),
    _case(
        "dsa_sparse_finetune/sparse_mla_bwd.py",
        "test_sparse_mla_bwd(B=1, S=64, H=64, HKV=1, DQKV=576, DV=512, topk=64)",
    ),
    _case(
        "dsa_sparse_finetune/sparse_mla_fwd.py",
        "test_sparse_mla_fwd(B=1, S=136, H=64, HKV=1, DQK=576, DV=512, topk=64)",
    ),
    _case(
        "dsa_sparse_finetune/sparse_mla_topk_reducesum.py", "test_kernel(B=1, S=1088, H=16, D=128, tail_D=64, topk=64)"
    ),
    # Linear attention, state-space models, delta rules
    _case("linear_attention/example_linear_attn_fwd.py", "main(1, 256, 2, 64)"),
    _case("linear_attention/example_linear_attn_bwd.py", "main(1, 256, 2, 64)"),
    _case(
        "linear_attention/example_retention_fwd.py",
        "kernel = chunk_retention_fwd_kernel(1, 256, 2, 64, 64); kernel.get_profiler().run_once()",
    ),
    _case(
        "linear_attention/example_mamba_chunk_scan.py",
        "kernel = chunk_scan_fwd.compile(batch=1, seqlen=512, chunk_size=256, ngroups=1, nheads=2, "
        "headdim=64, dstate=128, block_M=64, block_N=64, block_K=64, block_Dstate=128, num_stages=2, "
        "threads=128); kernel.get_profiler().assert_allclose(ref_program, rtol=0.01, atol=0.01)",
    ),
    _case(
        "linear_attention/example_mamba_chunk_state.py",
        "kernel = chunk_state_fwd.compile(batch=1, seqlen=512, chunk_size=256, ngroups=1, nheads=2, "
        "headdim=64, dstate=128, block_M=64, block_N=128, block_K=64, num_stages=4, threads=128); "
        "kernel.get_profiler().assert_allclose(ref_program, rtol=0.01, atol=0.01)",
    ),
    _case("gdn/example_chunk_delta_bwd.py", _SMALL_CHUNKS),
    _case("gdn/example_chunk_delta_h.py", _SMALL_CHUNKS),
    _case("gdn/example_chunk_o.py", _SMALL_CHUNKS),
    _case("gdn/example_chunk_o_bwd.py", _SMALL_CHUNKS),
    _case("gdn/example_chunk_scaled_dot_kkt.py", _SMALL_CHUNKS),
    _case("gdn/example_cumsum.py", _SMALL_CHUNKS),
    _case("gdn/example_wy_fast.py", _SMALL_CHUNKS),
    _case("gdn/example_wy_fast_bwd_split.py", _SMALL_CHUNKS),
    _case("kda/chunk_bwd_dqkwg.py", _SMALL_CHUNKS),
    _case("kda/chunk_bwd_dv.py", _SMALL_CHUNKS),
    _case("kda/chunk_bwd_gla_dA.py", _SMALL_CHUNKS),
    _case("kda/chunk_bwd_intra.py", _SMALL_CHUNKS),
    _case("kda/chunk_delta_bwd.py", _SMALL_CHUNKS),
    _case("kda/chunk_delta_h_fwd.py", _SMALL_CHUNKS),
    _case("kda/chunk_inter_solve_fused.py", _SMALL_CHUNKS),
    _case("kda/chunk_intra_token_parallel.py", _SMALL_CHUNKS),
    _case("kda/chunk_o.py", _SMALL_CHUNKS),
    _case("kda/wy_fast.py", _SMALL_CHUNKS),
    _case("kda/wy_fast_bwd.py", _SMALL_CHUNKS),
    # Mixture of experts and quantised weights
    _case("fusedmoe/example_fusedmoe_tilelang.py", "main(256, 128, 4, 1, 2, 1, 256)"),
    _case(
        "dequantize_gemm/example_dequant_gemm_fine_grained.py",
        "run_gemm(256, 256, 256, T.float16, T.float16, T.float32, 128, 128, 32)",
    ),
    _case("dequantize_gemm/example_dequant_gemm_fp4_hopper.py", "test_fp4_fp16_convert_close(); main(256, 256, 256)"),
    _case("dequantize_gemm/example_dequant_gemm_w4a8.py", "main(128, 256, 256)"),
    _case("dequantize_gemm/example_dequant_gemm_bf16_fp4_hopper.py", "main(256, 256, 256, False)"),
    _case(
        "dequantize_gemm/example_dequant_gemm_bf16_mxfp4_hopper.py",
        "main(256, 256, 256, 32, fast_dequant=False, with_bias=True)",
    ),
    _gpu("dequantize_gemm/example_dequant_gemv_fp16xint4.py", "CUDA source"),
    # Kernels made of one GPU's own instructions
    _gpu("gemm/example_gemm_intrinsics.py", "mma intrinsics"),
    _gpu("gemm_sp/example_gemm_sp.py", "2:4 sparse tensor cores"),
    _gpu("gemm_sp/sparse_utils.py", "2:4 sparse tensor cores"),
    _gpu("autodd/tilelang_buggy.py", "an invalid program, meant to be rejected"),
    _gpu("autodd/tilelang_minimized_expected.py", "an invalid program, meant to be rejected"),
    _gpu("aws/flash_attention.py", "tcgen05, mbarriers, warp specialisation"),
    _gpu("aws/gemm.py", "tcgen05, mbarriers, warp specialisation"),
    _gpu("bitnet-1.58b/kernel_benchmark/tilelang_bitnet_158_int8xint2_decode.py", "CUDA source, dp4a"),
    _gpu("bitnet-1.58b/kernel_benchmark/tilelang_bitnet_158_int8xint2_prefill.py", "CUDA source, mma intrinsics"),
    _gpu("bitnet-1.58b/kernel_benchmark/tl_int8xint8.py", "mma intrinsics"),
    _gpu("blockscaled_gemm_sm100/gemm_mxfp8_blockscaled_1d1d.py", "tcgen05, mbarriers"),
    _gpu("dequantize_gemm/example_dequant_gemm_bf16_mxfp4_cdna4.py", "HIP source"),
    _gpu("flash_attention_sm100/gqa_bwd_bshd.py", "tcgen05"),
    _gpu("flash_attention_sm100/gqa_fwd_bshd.py", "tcgen05, mbarriers"),
    _gpu("flash_attention_sm100/mha_bwd_bshd.py", "tcgen05"),
    _gpu("flash_attention_sm100/mha_fwd_bshd.py", "tcgen05, mbarriers"),
    _gpu("gemm_fp8/example_tilelang_gemm_amd_fp8_preshuffle.py", "mfma intrinsics"),
    _gpu("gemm_fp8/example_tilelang_gemm_fp8_sm100.py", "tcgen05, mbarriers"),
    _gpu("gemm_sm120/sm120_nvfp4_blockscaled_gemm.py", "block-scaled mma intrinsics"),
    _gpu("gemm_tcgen05/gemm_tcgen5mma.py", "tcgen05, mbarriers"),
    _gpu("gemm_tcgen05/gemm_tcgen5mma_ws.py", "tcgen05, mbarriers, warp specialisation"),
    _gpu("gemm_tcgen05/gemm_tcgen5mma_ws_persistent.py", "tcgen05, mbarriers, warp specialisation"),
    _gpu("iket/all_features.py", "events of CUDA's in-kernel tracer"),
    _gpu("iket/minimal.py", "events of CUDA's in-kernel tracer"),
    _gpu("iket/payload_minimal.py", "events of CUDA's in-kernel tracer"),
    _gpu("warp_specialize/example_warp_specialize_gemm_softpipe_stage2.py", "mbarriers, warp specialisation"),
    _gpu("warp_specialize/example_warp_specialize_flashmla.py", "mbarriers, warp specialisation"),
    _gpu("warp_specialize/example_warp_specialize_gemm_barrierpipe_stage2.py", "mbarriers, warp specialisation"),
    _gpu("warp_specialize/example_warp_specialize_gemm_copy_0_gemm_1.py", "mbarriers, warp specialisation"),
    _gpu("warp_specialize/example_warp_specialize_gemm_copy_1_gemm_0.py", "mbarriers, warp specialisation"),
    _gpu("warp_specialize/example_warp_specialize_gemm_copy_gemm_0_1.py", "mbarriers, warp specialisation"),
)
