// The object form of the data-movement API. Sources and targets of a transfer are anything that has a noc_traits_t.
#pragma once

#include <cstdint>

#include "api/dataflow/dataflow_api.h"

enum class NocOptions : std::uint32_t {
    DEFAULT = 0,
    TXN_ID = 1u << 0,
    POSTED = 1u << 1,
    CUSTOM_VC = 1u << 2,
    MCAST_INCL_SRC = 1u << 3,
    INLINE_L1 = 1u << 4,
    INLINE_REG = 1u << 5,
};

constexpr NocOptions operator|(NocOptions a, NocOptions b) {
    return static_cast<NocOptions>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has_flag(NocOptions options, NocOptions flag) {
    return (static_cast<std::uint32_t>(options) & static_cast<std::uint32_t>(flag)) != 0;
}

struct NocOptVals {
    std::uint32_t vc = NOC_UNICAST_WRITE_VC;
    std::uint32_t trid = 0;
};

// Specialised per endpoint: src_args_type with src_addr, dst_args_type with dst_addr, dst_args_mcast_type with
// dst_addr_mcast. Each returns an L1 address or a NoC address, as `Noc::AddressType` asks.
template <typename T>
struct noc_traits_t {
    static_assert(sizeof(T) == 0, "NoC transactions are not supported for this type");
};

class Noc {
public:
    enum class AddressType { NOC, LOCAL_L1 };

    Noc() = default;
    explicit Noc(std::uint8_t noc_id) : noc_id_(noc_id) {}

    std::uint8_t get_noc_id() const { return noc_id_; }

    template <
        NocOptions opts = NocOptions::DEFAULT, std::uint32_t max_page_size = NOC_MAX_BURST_SIZE + 1,
        bool enable_noc_tracing = true, typename Src, typename Dst>
    void async_read(
        const Src& src, const Dst& dst, std::uint32_t size_bytes, const typename noc_traits_t<Src>::src_args_type& src_args,
        const typename noc_traits_t<Dst>::dst_args_type& dst_args, const NocOptVals& noc_opts = {},
        std::uint32_t line = __builtin_LINE()) const {
        if constexpr (has_flag(opts, NocOptions::TXN_ID)) noc_async_read_set_trid(noc_opts.trid, noc_id_, line);
        noc_async_read<max_page_size>(
            noc_traits_t<Src>::template src_addr<AddressType::NOC>(src, *this, src_args),
            noc_traits_t<Dst>::template dst_addr<AddressType::LOCAL_L1>(dst, *this, dst_args), size_bytes, noc_id_,
            noc_opts.vc, line);
        if constexpr (has_flag(opts, NocOptions::TXN_ID)) noc_async_read_set_trid(0, noc_id_, line);
    }

    template <
        NocOptions opts = NocOptions::DEFAULT, std::uint32_t max_page_size = NOC_MAX_BURST_SIZE + 1,
        bool enable_noc_tracing = true, typename Src, typename Dst>
    void async_write(
        const Src& src, const Dst& dst, std::uint32_t size_bytes, const typename noc_traits_t<Src>::src_args_type& src_args,
        const typename noc_traits_t<Dst>::dst_args_type& dst_args, const NocOptVals& noc_opts = {},
        std::uint32_t line = __builtin_LINE()) const {
        if constexpr (has_flag(opts, NocOptions::TXN_ID)) noc_async_write_set_trid(noc_opts.trid, noc_id_, line);
        noc_async_write<max_page_size>(
            noc_traits_t<Src>::template src_addr<AddressType::LOCAL_L1>(src, *this, src_args),
            noc_traits_t<Dst>::template dst_addr<AddressType::NOC>(dst, *this, dst_args), size_bytes, noc_id_,
            noc_opts.vc, line);
        if constexpr (has_flag(opts, NocOptions::TXN_ID)) noc_async_write_set_trid(0, noc_id_, line);
    }

    template <
        NocOptions opts = NocOptions::DEFAULT, std::uint32_t max_page_size = NOC_MAX_BURST_SIZE + 1,
        bool enable_noc_tracing = true, typename Src, typename Dst>
    void async_write_multicast(
        const Src& src, const Dst& dst, std::uint32_t size_bytes, std::uint32_t num_dsts,
        const typename noc_traits_t<Src>::src_args_type& src_args,
        const typename noc_traits_t<Dst>::dst_args_mcast_type& dst_args, bool = false,
        std::uint32_t line = __builtin_LINE()) const {
        tt_emulator::noc_write_multicast(
            noc_traits_t<Src>::template src_addr<AddressType::LOCAL_L1>(src, *this, src_args),
            noc_traits_t<Dst>::template dst_addr_mcast<AddressType::NOC>(dst, *this, dst_args), size_bytes, num_dsts,
            has_flag(opts, NocOptions::MCAST_INCL_SRC), line);
    }

    template <NocOptions opts = NocOptions::DEFAULT, typename Dst>
    void inline_dw_write(
        const Dst& dst, std::uint32_t value, const typename noc_traits_t<Dst>::dst_args_type& dst_args,
        const NocOptVals& = {}, std::uint32_t line = __builtin_LINE()) const {
        tt_emulator::noc_inline_write(
            noc_traits_t<Dst>::template dst_addr<AddressType::NOC>(dst, *this, dst_args), value, line);
    }

    template <NocOptions opts = NocOptions::DEFAULT>
    void async_read_barrier(const NocOptVals& noc_opts = {}, std::uint32_t line = __builtin_LINE()) const {
        tt_emulator::noc_read_barrier(transactions<opts>(noc_opts), line);
    }
    template <NocOptions opts = NocOptions::DEFAULT>
    void async_write_barrier(const NocOptVals& noc_opts = {}, std::uint32_t line = __builtin_LINE()) const {
        tt_emulator::noc_write_barrier(transactions<opts>(noc_opts), line);
    }
    template <NocOptions opts = NocOptions::DEFAULT>
    void async_writes_flushed(const NocOptVals& noc_opts = {}, std::uint32_t line = __builtin_LINE()) const {
        tt_emulator::noc_write_flush(transactions<opts>(noc_opts), line);
    }
    void async_atomic_barrier(std::uint32_t line = __builtin_LINE()) const { tt_emulator::noc_atomic_barrier(line); }

private:
    template <NocOptions opts>
    static std::uint32_t transactions(const NocOptVals& noc_opts) {
        return has_flag(opts, NocOptions::TXN_ID) ? noc_opts.trid : tt_emulator::kAllTransactions;
    }

    std::uint8_t noc_id_ = noc_index;
};
