// DataflowBuffer: on Wormhole and Blackhole a circular buffer under a newer name.
#pragma once

#include "api/dataflow/circular_buffer.h"

class DataflowBuffer : public CircularBuffer {
public:
    explicit DataflowBuffer(std::uint32_t id) : CircularBuffer(id) {}

    std::uint32_t get_id() const { return cb_id_; }
    std::uint32_t get_entry_size(std::uint32_t line = __builtin_LINE()) const {
        return tt_emulator::circular_buffer(cb_id_, line).page_size;
    }
    std::uint32_t get_total_num_entries(std::uint32_t line = __builtin_LINE()) const {
        return tt_emulator::circular_buffer(cb_id_, line).pages;
    }
    std::uint32_t get_total_size_bytes(std::uint32_t line = __builtin_LINE()) const {
        return get_entry_size(line) * get_total_num_entries(line);
    }
};

template <>
struct noc_traits_t<DataflowBuffer> : noc_traits_t<CircularBuffer> {};
