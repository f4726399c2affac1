#include "tt_emulator/convert.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <thread>
#include <type_traits>

#include "convert_blocks.h"
#include "convert_elements.h"

namespace tt_emulator {

namespace {

constexpr std::uint32_t kTile = 32;
constexpr std::uint32_t kFace = 16;
constexpr std::uint32_t kRowMajorAlignment = 64;

// Calls `apply` with the rule that carries `type` in pages of `format`; false when there is none.
template <typename Apply>
bool with_rule(HostType type, DataFormat format, Apply apply) {
    switch (format) {
        case DataFormat::Float16_b:
            switch (type) {
                case HostType::BFloat16: apply(Copy<std::uint16_t>{}); return true;
                case HostType::Float16: apply(HalfInBfloat16{}); return true;
                case HostType::Float32: apply(FloatInBfloat16{}); return true;
                case HostType::Float8E4M3: apply(Float8InBfloat16<3>{}); return true;
                case HostType::Float8E5M2: apply(Float8InBfloat16<2>{}); return true;
                default: return false;
            }
        case DataFormat::Float32:
            switch (type) {
                case HostType::Float32: apply(Copy<std::uint32_t>{}); return true;
                case HostType::Float16: apply(HalfInFloat{}); return true;
                default: return false;
            }
        case DataFormat::Bfp8_b:
        case DataFormat::Bfp4_b:
            switch (type) {
                case HostType::Float32: apply(Copy<float>{}); return true;
                case HostType::Float16: apply(HalfInFloat{}); return true;
                case HostType::BFloat16: apply(Bfloat16InFloat{}); return true;
                default: return false;
            }
        case DataFormat::Int32:
            switch (type) {
                case HostType::Int32: apply(Copy<std::uint32_t>{}); return true;
                case HostType::Int16: apply(Widen<std::int16_t>{}); return true;
                case HostType::Int8: apply(Widen<std::int8_t>{}); return true;
                case HostType::UInt16: apply(Widen<std::uint16_t>{}); return true;
                case HostType::UInt8:
                case HostType::Bool: apply(Widen<std::uint8_t>{}); return true;
                default: return false;
            }
        case DataFormat::UInt32:
            if (type != HostType::UInt32) return false;
            apply(Copy<std::uint32_t>{});
            return true;
        case DataFormat::UInt16:
            if (type != HostType::UInt16) return false;
            apply(Copy<std::uint16_t>{});
            return true;
        case DataFormat::UInt8:
            if (type != HostType::UInt8 && type != HostType::Bool) return false;
            if (type == HostType::Bool) {
                apply(Boolean{});
            } else {
                apply(Copy<std::uint8_t>{});
            }
            return true;
        default: return false;
    }
}

// Calls `fill` with the elements of a page; those of block formats are made beside it and packed afterwards.
template <typename Rule, typename Fill>
void fill_page(std::uint8_t* page, DataFormat format, Fill fill) {
    if constexpr (std::is_same_v<typename Rule::Page, float>) {
        if (is_block_format(format)) {
            float elements[kTile * kTile];
            fill(elements);
            return encode_block_tile(elements, format, page);
        }
    }
    fill(reinterpret_cast<typename Rule::Page*>(page));
}

template <typename Rule, typename Drain>
void drain_page(const std::uint8_t* page, DataFormat format, Drain drain) {
    if constexpr (std::is_same_v<typename Rule::Page, float>) {
        if (is_block_format(format)) {
            float elements[kTile * kTile];
            decode_block_tile(page, format, elements);
            return drain(elements);
        }
    }
    drain(reinterpret_cast<const typename Rule::Page*>(page));
}

// Offset of element (row, column) inside a tile page of four 16x16 faces.
constexpr std::uint32_t tile_offset(std::uint32_t row, std::uint32_t column) {
    return (row / kFace) * 2 * kFace * kFace + (column / kFace) * kFace * kFace + (row % kFace) * kFace +
           column % kFace;
}

// Rows and columns of a tile that exist on the host, and the host's strides.
struct TileView {
    std::int64_t row_stride;
    std::int64_t column_stride;
    std::uint32_t rows;
    std::uint32_t columns;
};

template <typename Rule>
[[gnu::noinline]] void fill_tile(const typename Rule::Host* host, const TileView& view, typename Rule::Page* page) {
    if (view.rows < kTile || view.columns < kTile) std::memset(page, 0, kTile * kTile * sizeof *page);
    if (view.column_stride == 1 && view.columns == kTile) {
        for (std::uint32_t row = 0; row < view.rows; ++row) {
            const typename Rule::Host* source = host + row * view.row_stride;
            typename Rule::Page* target = page + tile_offset(row, 0);
            for (std::uint32_t column = 0; column < kFace; ++column) target[column] = Rule::to_page(source[column]);
            target += kFace * kFace;
            source += kFace;
            for (std::uint32_t column = 0; column < kFace; ++column) target[column] = Rule::to_page(source[column]);
        }
    } else if (view.row_stride == 1) {  // a transposed tensor: walk along its memory, turn the tile where it is near
        typename Rule::Page turned[kTile][kTile] = {};
        for (std::uint32_t column = 0; column < view.columns; ++column) {
            const typename Rule::Host* source = host + column * view.column_stride;
            for (std::uint32_t row = 0; row < view.rows; ++row) turned[column][row] = Rule::to_page(source[row]);
        }
        for (std::uint32_t row = 0; row < view.rows; ++row) {
            typename Rule::Page* target = page + tile_offset(row, 0);
            for (std::uint32_t column = 0; column < kFace; ++column) target[column] = turned[column][row];
            target += kFace * kFace;
            for (std::uint32_t column = 0; column < kFace; ++column) target[column] = turned[kFace + column][row];
        }
    } else {
        for (std::uint32_t row = 0; row < view.rows; ++row) {
            const typename Rule::Host* source = host + row * view.row_stride;
            for (std::uint32_t column = 0; column < view.columns; ++column) {
                page[tile_offset(row, column)] = Rule::to_page(source[column * view.column_stride]);
            }
        }
    }
}

template <typename Rule>
[[gnu::noinline]] void drain_tile(const typename Rule::Page* page, const TileView& view, typename Rule::Host* host) {
    if (view.column_stride == 1 && view.columns == kTile) {
        for (std::uint32_t row = 0; row < view.rows; ++row) {
            typename Rule::Host* target = host + row * view.row_stride;
            const typename Rule::Page* source = page + tile_offset(row, 0);
            for (std::uint32_t column = 0; column < kFace; ++column) target[column] = Rule::to_host(source[column]);
            source += kFace * kFace;
            target += kFace;
            for (std::uint32_t column = 0; column < kFace; ++column) target[column] = Rule::to_host(source[column]);
        }
        return;
    }
    if (view.row_stride == 1) {
        for (std::uint32_t column = 0; column < view.columns; ++column) {
            typename Rule::Host* target = host + column * view.column_stride;
            for (std::uint32_t row = 0; row < view.rows; ++row) {
                target[row] = Rule::to_host(page[tile_offset(row, column)]);
            }
        }
        return;
    }
    for (std::uint32_t row = 0; row < view.rows; ++row) {
        typename Rule::Host* target = host + row * view.row_stride;
        for (std::uint32_t column = 0; column < view.columns; ++column) {
            target[column * view.column_stride] = Rule::to_host(page[tile_offset(row, column)]);
        }
    }
}

// Visits the tiles of rows [first, last) of tiles, counted through all outer indices. Where memory runs down the columns,
// several rows go together, so that a visit finds the lines near those of the visit before.
template <typename VisitTile>
void for_each_tile(const Conversion& conversion, std::size_t first, std::size_t last, VisitTile visit_tile) {
    constexpr std::size_t kRowsTogether = 16;
    const std::size_t columns = conversion.columns.size();
    const std::size_t step = conversion.row_stride == 1 && conversion.column_stride != 1 ? kRowsTogether : 1;
    for (std::size_t start = first; start < last; start += step) {
        const std::size_t end = std::min(start + step, last);
        for (std::size_t index = 0; index < columns; ++index) {
            const TileSpan& column = conversion.columns[index];
            for (std::size_t band = start; band < end; ++band) {
                const TileSpan& row = conversion.rows[band % conversion.rows.size()];
                const std::int64_t base = conversion.outer[band / conversion.rows.size()];
                visit_tile(
                    static_cast<std::uint32_t>(band * columns + index), base + row.offset + column.offset,
                    TileView{conversion.row_stride, conversion.column_stride, row.valid, column.valid});
            }
        }
    }
}

// Calls `work(first, last)` for shares of the rows of tiles, on threads when there is enough to do.
void share_tile_rows(
    const Conversion& conversion, std::uint32_t threads, const std::function<void(std::size_t, std::size_t)>& work) {
    constexpr std::size_t kPagesPerThread = 256;
    const std::size_t bands = conversion.outer.size() * conversion.rows.size();
    const std::size_t shares = std::clamp<std::size_t>(conversion.pages / kPagesPerThread, 1, threads);
    std::vector<std::thread> others;
    for (std::size_t share = 1; share < shares; ++share) {
        others.emplace_back(work, bands * share / shares, bands * (share + 1) / shares);
    }
    work(0, bands / shares);
    for (std::thread& thread : others) thread.join();
}

// A run of 1024 elements is a tile of 32 rows; the last run may end inside a row, whose elements are `rest`.
template <typename VisitRun>
void for_each_run(const Conversion& conversion, VisitRun visit_run) {
    std::uint32_t page = 0;
    const std::int64_t step = conversion.column_stride;
    for (const std::int64_t base : conversion.outer) {
        for (std::int64_t start = 0; start < conversion.flat_size; start += kTile * kTile, ++page) {
            const std::uint32_t count =
                static_cast<std::uint32_t>(std::min<std::int64_t>(conversion.flat_size - start, kTile * kTile));
            visit_run(page, base + start * step, TileView{kTile * step, step, count / kTile, kTile}, count % kTile);
        }
    }
}

template <typename Rule>
void upload_runs(const Conversion& conversion, const typename Rule::Host* host, Buffer& buffer) {
    for_each_run(conversion, [&](std::uint32_t page, std::int64_t offset, const TileView& view, std::uint32_t rest) {
        fill_page<Rule>(buffer.page(page), conversion.format, [&](typename Rule::Page* target) {
            fill_tile<Rule>(host + offset, view, target);
            for (std::uint32_t column = 0; column < rest; ++column) {
                target[tile_offset(view.rows, column)] =
                    Rule::to_page(host[offset + view.rows * view.row_stride + column * view.column_stride]);
            }
        });
    });
}

template <typename Rule>
void download_runs(const Conversion& conversion, const Buffer& buffer, typename Rule::Host* host, bool whole) {
    for_each_run(conversion, [&](std::uint32_t page, std::int64_t offset, const TileView& view, std::uint32_t rest) {
        if (!whole && !buffer.page_written[page]) return;
        drain_page<Rule>(buffer.page(page), conversion.format, [&](const typename Rule::Page* source) {
            drain_tile<Rule>(source, view, host + offset);
            for (std::uint32_t column = 0; column < rest; ++column) {
                host[offset + view.rows * view.row_stride + column * view.column_stride] =
                    Rule::to_host(source[tile_offset(view.rows, column)]);
            }
        });
    });
}

template <typename Rule>
void upload_rows(const Conversion& conversion, const typename Rule::Host* host, Buffer& buffer) {
    using Page = typename Rule::Page;
    const Loop run = conversion.run;
    for (std::uint32_t page = 0; page < conversion.pages; ++page) {
        Page* target = reinterpret_cast<Page*>(buffer.page(page));
        Page* const end = target + conversion.page_bytes / sizeof(Page);
        for (const std::int64_t offset : conversion.inner) {
            const typename Rule::Host* source = host + conversion.outer[page] + offset;
            if (run.stride == 1) {
                for (std::int64_t index = 0; index < run.size; ++index) target[index] = Rule::to_page(source[index]);
            } else {
                for (std::int64_t index = 0; index < run.size; ++index) {
                    target[index] = Rule::to_page(source[index * run.stride]);
                }
            }
            target += run.size;
        }
        std::memset(target, 0, static_cast<std::size_t>(end - target) * sizeof(Page));
    }
}

template <typename Rule>
void download_rows(const Conversion& conversion, const Buffer& buffer, typename Rule::Host* host, bool whole) {
    using Page = typename Rule::Page;
    const Loop run = conversion.run;
    for (std::uint32_t page = 0; page < conversion.pages; ++page) {
        if (!whole && !buffer.page_written[page]) continue;
        const Page* source = reinterpret_cast<const Page*>(buffer.page(page));
        for (const std::int64_t offset : conversion.inner) {
            typename Rule::Host* target = host + conversion.outer[page] + offset;
            if (run.stride == 1) {
                for (std::int64_t index = 0; index < run.size; ++index) target[index] = Rule::to_host(source[index]);
            } else {
                for (std::int64_t index = 0; index < run.size; ++index) {
                    target[index * run.stride] = Rule::to_host(source[index]);
                }
            }
            source += run.size;
        }
    }
}

// The element offset of every combination of the loops, the last one fastest.
std::vector<std::int64_t> offsets(const std::vector<Loop>& loops) {
    std::vector<std::int64_t> found{0};
    for (const Loop& loop : loops) {
        std::vector<std::int64_t> next;
        next.reserve(found.size() * static_cast<std::size_t>(loop.size));
        for (const std::int64_t base : found) {
            for (std::int64_t index = 0; index < loop.size; ++index) next.push_back(base + index * loop.stride);
        }
        found.swap(next);
    }
    return found;
}

// Tiles along a dimension: blocks of `block` elements, each padded to whole tiles.
std::vector<TileSpan> tile_spans(std::int64_t size, std::int64_t stride, std::uint32_t block) {
    if (block % kTile == 0) block = kTile;
    const std::uint32_t tiles_per_block = (block + kTile - 1) / kTile;
    std::vector<TileSpan> spans;
    for (std::int64_t start = 0; start < size; start += block) {
        for (std::uint32_t tile = 0; tile < tiles_per_block; ++tile) {
            const std::int64_t first = start + tile * kTile;
            const std::int64_t end = std::min<std::int64_t>(size, start + std::min(block, (tile + 1) * kTile));
            spans.push_back({first * stride, static_cast<std::uint32_t>(std::max<std::int64_t>(end - first, 0))});
        }
    }
    return spans;
}

std::vector<Loop> merge_neighbours(const std::vector<Loop>& loops) {
    std::vector<Loop> merged;
    for (const Loop& loop : loops) {
        if (loop.size == 1) continue;
        if (!merged.empty() && merged.back().stride == loop.stride * loop.size) {
            merged.back() = {merged.back().size * loop.size, loop.stride};
        } else {
            merged.push_back(loop);
        }
    }
    if (merged.empty()) merged.push_back({1, 1});
    return merged;
}

}  // namespace

bool convertible(HostType type, DataFormat format) {
    return with_rule(type, format, [](auto) {});
}

Conversion make_conversion(
    HostType type, DataFormat format, const Layout& layout, const std::vector<std::int64_t>& shape,
    const std::vector<std::int64_t>& strides) {
    Conversion conversion;
    conversion.type = type;
    conversion.format = format;
    conversion.kind = layout.kind;
    std::vector<Loop> outer;
    if (layout.kind == LayoutKind::RowMajor) {
        const std::size_t split = shape.size() - layout.page_dims;
        std::vector<Loop> inner;
        std::int64_t elements = 1;
        for (std::size_t dim = 0; dim < shape.size(); ++dim) {
            (dim < split ? outer : inner).push_back({shape[dim], strides[dim]});
            if (dim >= split) elements *= shape[dim];
        }
        inner = merge_neighbours(inner);
        conversion.run = inner.back();
        inner.pop_back();
        conversion.inner = offsets(inner);
        conversion.outer = offsets(outer);
        const std::int64_t bytes = elements * (tile_bytes(format) / (kTile * kTile));
        conversion.page_bytes = static_cast<std::uint32_t>(
            std::max<std::int64_t>((bytes + kRowMajorAlignment - 1) / kRowMajorAlignment, 1) * kRowMajorAlignment);
        conversion.pages = static_cast<std::uint32_t>(conversion.outer.size());
        return conversion;
    }
    for (std::int32_t dim : layout.outer) outer.push_back({shape[dim], strides[dim]});
    conversion.outer = offsets(outer);
    std::size_t pages = conversion.outer.size();
    conversion.page_bytes = tile_bytes(format);
    conversion.column_stride = layout.col < 0 ? 1 : strides[layout.col];
    if (layout.kind == LayoutKind::Flat) {
        conversion.flat_size = shape[layout.col];
        pages *= static_cast<std::size_t>((conversion.flat_size + kTile * kTile - 1) / (kTile * kTile));
    } else {
        conversion.row_stride = layout.row < 0 ? 0 : strides[layout.row];
        conversion.rows = layout.row < 0 ? std::vector<TileSpan>{{0, 1}}
                                         : tile_spans(shape[layout.row], conversion.row_stride, layout.row_block);
        conversion.columns = layout.col < 0
                                 ? std::vector<TileSpan>{{0, 1}}
                                 : tile_spans(shape[layout.col], conversion.column_stride, layout.col_block);
        pages *= conversion.rows.size() * conversion.columns.size();
    }
    conversion.pages = static_cast<std::uint32_t>(pages);
    return conversion;
}

void upload(const Conversion& conversion, const void* host, Buffer& buffer, std::uint32_t threads) {
    with_rule(conversion.type, conversion.format, [&](auto rule) {
        using Rule = decltype(rule);
        const auto* values = static_cast<const typename Rule::Host*>(host);
        switch (conversion.kind) {
            case LayoutKind::Flat: return upload_runs<Rule>(conversion, values, buffer);
            case LayoutKind::RowMajor: return upload_rows<Rule>(conversion, values, buffer);
            case LayoutKind::Tile: break;
        }
        share_tile_rows(conversion, threads, [&](std::size_t first, std::size_t last) {
            for_each_tile(conversion, first, last, [&](std::uint32_t page, std::int64_t offset, const TileView& view) {
                fill_page<Rule>(buffer.page(page), conversion.format, [&](typename Rule::Page* elements) {
                    fill_tile<Rule>(values + offset, view, elements);
                });
            });
        });
    });
}

void download(
    const Conversion& conversion, const Buffer& buffer, void* host, bool whole, std::uint32_t threads) {
    with_rule(conversion.type, conversion.format, [&](auto rule) {
        using Rule = decltype(rule);
        auto* values = static_cast<typename Rule::Host*>(host);
        switch (conversion.kind) {
            case LayoutKind::Flat: return download_runs<Rule>(conversion, buffer, values, whole);
            case LayoutKind::RowMajor: return download_rows<Rule>(conversion, buffer, values, whole);
            case LayoutKind::Tile: break;
        }
        share_tile_rows(conversion, threads, [&](std::size_t first, std::size_t last) {
            for_each_tile(conversion, first, last, [&](std::uint32_t page, std::int64_t offset, const TileView& view) {
                if (!whole && !buffer.page_written[page]) return;
                drain_page<Rule>(buffer.page(page), conversion.format, [&](const typename Rule::Page* elements) {
                    drain_tile<Rule>(elements, view, values + offset);
                });
            });
        });
    });
}

}  // namespace tt_emulator
