// What the generated main.cpp needs besides TT-Metalium: tensors as C-contiguous files on the host and as pages on the
// device, and the command line. Nothing here knows one kernel, or TT-Metalium itself.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace host {

constexpr int64_t kTileSide = 32;
constexpr int64_t kTileElements = kTileSide * kTileSide;
constexpr int64_t kRowMajorAlignment = 64;

using Shape = std::vector<int64_t>;

constexpr int64_t ceil_div(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

// ---- Formats: how an element of the user's dtype is stored on the device -------------------------------------------

// A floating-point format below 32 bits; `finite_only` formats spend the infinities' codes on numbers.
struct SmallFloat {
    int exponent_bits;
    int mantissa_bits;
    bool finite_only = false;

    int bias() const { return (1 << (exponent_bits - 1)) - 1; }
    uint32_t top_exponent() const { return (1u << exponent_bits) - 1; }
    uint32_t sign_bit() const { return 1u << (exponent_bits + mantissa_bits); }
    uint32_t infinity() const { return top_exponent() << mantissa_bits; }
    uint32_t not_a_number() const { return finite_only ? sign_bit() - 1 : infinity() | 1u << (mantissa_bits - 1); }

    float decode(uint32_t bits) const {
        const uint32_t exponent = bits >> mantissa_bits & top_exponent();
        const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
        const float sign = bits & sign_bit() ? -1.0f : 1.0f;
        if (finite_only ? (bits & (sign_bit() - 1)) == not_a_number() : exponent == top_exponent() && mantissa != 0) {
            return std::copysign(NAN, sign);
        }
        if (!finite_only && exponent == top_exponent()) return sign * INFINITY;
        if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), 1 - bias() - mantissa_bits);
        const auto significand = static_cast<float>(mantissa | 1u << mantissa_bits);
        return sign * std::ldexp(significand, static_cast<int>(exponent) - bias() - mantissa_bits);
    }

    // Rounds to nearest, ties to even; formats without infinities saturate, as torch's do.
    uint32_t encode(float value) const {
        const uint32_t sign = std::signbit(value) ? sign_bit() : 0;
        if (std::isnan(value)) return sign | not_a_number();
        const uint32_t overflow = sign | (finite_only ? not_a_number() - 1 : infinity());
        if (std::isinf(value)) return overflow;
        if (value == 0.0f) return sign;
        const int exponent = std::max(std::ilogb(value), 1 - bias());
        const double steps = std::nearbyint(std::ldexp(std::fabs(static_cast<double>(value)), mantissa_bits - exponent));
        // Counting steps from the bottom of the binade carries into the exponent field by itself when rounding does.
        const int field = exponent + bias() - 1;
        const uint32_t bits = (static_cast<uint32_t>(field) << mantissa_bits) + static_cast<uint32_t>(steps);
        return bits >= (finite_only ? not_a_number() : infinity()) ? overflow : sign | bits;
    }
};

constexpr SmallFloat kBFloat16{8, 7};
constexpr SmallFloat kFloat16{5, 10};
constexpr SmallFloat kFloat8E4M3{4, 3, true};
constexpr SmallFloat kFloat8E5M2{5, 2};

// Conversions work on the raw bits of one element.
struct ElementType {
    int64_t host_bytes;
    int64_t device_bytes;
    std::function<uint32_t(uint64_t)> to_device;
    std::function<uint64_t(uint32_t)> to_host;
    std::function<uint64_t(double)> from_number;  // for the fill pattern, on the host side
    bool is_float;
};

inline uint32_t same_bits(uint32_t bits) { return bits; }
inline uint32_t float_bits(double value) { return std::bit_cast<uint32_t>(static_cast<float>(value)); }

inline ElementType integer_type(int64_t host_bytes, int64_t device_bytes, bool is_signed) {
    const int unused = static_cast<int>(32 - 8 * host_bytes);
    const auto widen = [unused, is_signed](uint32_t bits) {
        return is_signed ? static_cast<uint32_t>(static_cast<int32_t>(bits << unused) >> unused) : bits;
    };
    const auto from_number = [](double value) { return static_cast<uint32_t>(static_cast<int32_t>(value)); };
    return {host_bytes, device_bytes, widen, same_bits, from_number, false};
}

// 64 bits in the file, 32 on the device: `Tensor::load` looks whether the values fit.
inline ElementType int64_type() {
    const auto narrow = [](uint64_t bits) { return static_cast<uint32_t>(bits); };
    const auto widen = [](uint32_t bits) { return static_cast<uint64_t>(int64_t{static_cast<int32_t>(bits)}); };
    const auto from_number = [](double value) { return static_cast<uint64_t>(static_cast<int64_t>(value)); };
    return {8, 4, narrow, widen, from_number, false};
}

inline ElementType small_float_type(const SmallFloat& format, int64_t host_bytes, int64_t device_bytes) {
    const auto from_number = [format](double value) { return format.encode(static_cast<float>(value)); };
    if (host_bytes == device_bytes) return {host_bytes, device_bytes, same_bits, same_bits, from_number, true};
    const uint32_t shift = device_bytes == 2 ? 16 : 0;  // bfloat16 is the upper half of a float
    const auto to_device = [format, shift](uint32_t bits) { return float_bits(format.decode(bits)) >> shift; };
    const auto to_host = [format, shift](uint32_t bits) { return format.encode(std::bit_cast<float>(bits << shift)); };
    return {host_bytes, device_bytes, to_device, to_host, from_number, true};
}

// Pages of bfloat16 for a host type of the same size.
inline ElementType bfloat16_pages_of(const SmallFloat& format) {
    const auto to_device = [format](uint32_t bits) { return kBFloat16.encode(format.decode(bits)); };
    const auto to_host = [format](uint32_t bits) { return format.encode(kBFloat16.decode(bits)); };
    const auto from_number = [format](double value) { return format.encode(static_cast<float>(value)); };
    return {2, 2, to_device, to_host, from_number, true};
}

// The element type of a dtype (files have one element of 4 bits in each byte, or bfloat16); its pages have the data format that tt.plan.json gives for that dtype.
inline ElementType element_type(const std::string& dtype) {
    if (dtype == "float16 as bfloat16") return bfloat16_pages_of(kFloat16);
    if (dtype == "float32" || dtype == "custom[tfloat32]") return {4, 4, same_bits, same_bits, float_bits, true};
    if (dtype == "bfloat16" || dtype == "float4_e2m1fn") return small_float_type(kBFloat16, 2, 2);
    if (dtype == "float16") return small_float_type(kFloat16, 2, 4);
    if (dtype == "float8_e4m3fn" || dtype == "float8_e4m3") return small_float_type(kFloat8E4M3, 1, 2);
    if (dtype == "float8_e5m2") return small_float_type(kFloat8E5M2, 1, 2);
    if (dtype == "int32" || dtype == "uint32") return integer_type(4, 4, false);
    if (dtype == "int64") return int64_type();
    if (dtype == "uint16") return integer_type(2, 2, false);
    if (dtype == "uint8" || dtype == "uint4" || dtype == "bool") return integer_type(1, 1, false);
    if (dtype == "int16") return integer_type(2, 4, true);
    if (dtype == "int8" || dtype == "int4") return integer_type(1, 4, true);
    throw std::invalid_argument("no data format for dtype " + dtype);
}

// A tile of block floats: an exponent byte for each of its 64 blocks of 16 elements, then the elements, sign and
// magnitude in `bits` bits each.
struct BlockFloat {
    static constexpr int64_t kBlock = 16;
    static constexpr int64_t kBlocks = kTileElements / kBlock;
    uint32_t bits;

    int64_t page_bytes() const { return kBlocks + kTileElements * bits / 8; }
    uint32_t largest() const { return (1u << (bits - 1)) - 1; }

    // Rounds to nearest, ties to even, never beyond the largest magnitude; denormals are zero, and zero has no sign.
    uint32_t encode(float value, uint32_t shared_exponent) const {
        const auto word = std::bit_cast<uint32_t>(value);
        const uint32_t exponent = word >> 23 & 0xffu;
        if (exponent == 0) return 0;
        const uint32_t aligned = ((word & 0x7fffffu) | 0x800000u) >> std::min(shared_exponent - exponent, 31u);
        const uint32_t cut = 25 - bits;
        const uint32_t rest = aligned & ((1u << cut) - 1);
        const uint32_t half = 1u << (cut - 1);
        uint32_t magnitude = aligned >> cut;
        if (rest > half || (rest == half && (magnitude & 1u) != 0)) ++magnitude;
        magnitude = std::min(magnitude, largest());
        return magnitude == 0 ? 0 : magnitude | (word >> 31) << (bits - 1);
    }

    float decode(uint32_t element, uint32_t shared_exponent) const {
        const uint32_t magnitude = element & largest();
        const float sign = element >> (bits - 1) != 0 ? -1.0f : 1.0f;
        if (shared_exponent == 255 && magnitude >> (bits - 2) != 0) {
            return magnitude == 1u << (bits - 2) ? sign * INFINITY : std::copysign(NAN, sign);
        }
        const int exponent = static_cast<int>(shared_exponent) - 127 - (static_cast<int>(bits) - 2);
        return sign * std::ldexp(static_cast<float>(magnitude), exponent);
    }

    void pack(const float* elements, uint8_t* page) const {
        std::memset(page, 0, static_cast<size_t>(page_bytes()));
        for (int64_t block = 0; block < kBlocks; ++block) {
            uint32_t shared = 0;
            for (int64_t i = 0; i < kBlock; ++i) {
                shared = std::max(shared, std::bit_cast<uint32_t>(elements[block * kBlock + i]) >> 23 & 0xffu);
            }
            page[block] = static_cast<uint8_t>(shared);
            for (int64_t i = block * kBlock; i < (block + 1) * kBlock; ++i) {
                page[kBlocks + i * bits / 8] |= static_cast<uint8_t>(encode(elements[i], shared) << i * bits % 8);
            }
        }
    }

    float unpack(const uint8_t* page, int64_t element) const {
        const uint32_t byte = page[kBlocks + element * bits / 8];
        return decode(byte >> element * bits % 8 & (2 * largest() + 1), page[element / kBlock]);
    }
};

// ---- Layouts: where an element lies on the device ------------------------------------------------------------------

struct Place {
    int64_t page;
    int64_t element;  // in the page
};

inline int64_t linear_index(const Shape& shape, const Shape& index, const std::vector<size_t>& dims) {
    int64_t linear = 0;
    for (const size_t dim : dims) linear = linear * shape[dim] + index[dim];
    return linear;
}

inline int64_t volume(const Shape& shape, const std::vector<size_t>& dims) {
    int64_t product = 1;
    for (const size_t dim : dims) product *= shape[dim];
    return product;
}

// Pages are 32x32 tiles of four 16x16 faces; page = (outer * row_tiles + tile_row) * col_tiles + tile_col.
struct TileLayout {
    std::vector<size_t> outer;
    std::optional<size_t> row;
    std::optional<size_t> col;
    int64_t row_block = kTileSide;  // a multiple of 32: padded once; otherwise every block is padded to whole tiles
    int64_t col_block = kTileSide;

    static int64_t tiles(int64_t size, int64_t block) {
        if (block % kTileSide == 0) return ceil_div(size, kTileSide);
        return ceil_div(size, block) * ceil_div(block, kTileSide);
    }
    static int64_t tile_of(int64_t index, int64_t block) {
        if (block % kTileSide == 0) return index / kTileSide;
        return index / block * ceil_div(block, kTileSide) + index % block / kTileSide;
    }
    static int64_t lane_of(int64_t index, int64_t block) {
        return block % kTileSide == 0 ? index % kTileSide : index % block % kTileSide;
    }
    int64_t row_tiles(const Shape& shape) const { return row ? tiles(shape[*row], row_block) : 1; }
    int64_t col_tiles(const Shape& shape) const { return col ? tiles(shape[*col], col_block) : 1; }
    int64_t page_count(const Shape& shape) const { return volume(shape, outer) * row_tiles(shape) * col_tiles(shape); }
    int64_t page_elements(const Shape&) const { return kTileElements; }

    Place place(const Shape& shape, const Shape& index) const {
        const int64_t tile_row = row ? tile_of(index[*row], row_block) : 0;
        const int64_t tile_col = col ? tile_of(index[*col], col_block) : 0;
        const int64_t r = row ? lane_of(index[*row], row_block) : 0;
        const int64_t c = col ? lane_of(index[*col], col_block) : 0;
        const int64_t first = (linear_index(shape, index, outer) * row_tiles(shape) + tile_row) * col_tiles(shape);
        return {first + tile_col, (r / 16 * 2 + c / 16) * 256 + r % 16 * 16 + c % 16};
    }
};

// `dim` is cut in runs of 1024 elements, each a tile filled row by row.
struct FlatLayout {
    std::vector<size_t> outer;
    size_t dim;

    int64_t runs(const Shape& shape) const { return ceil_div(shape[dim], kTileElements); }
    int64_t page_count(const Shape& shape) const { return volume(shape, outer) * runs(shape); }
    int64_t page_elements(const Shape&) const { return kTileElements; }

    Place place(const Shape& shape, const Shape& index) const {
        const int64_t run = index[dim] / kTileElements;
        const int64_t r = index[dim] % kTileElements / kTileSide;
        const int64_t c = index[dim] % kTileSide;
        const int64_t page = linear_index(shape, index, outer) * runs(shape) + run;
        return {page, (r / 16 * 2 + c / 16) * 256 + r % 16 * 16 + c % 16};
    }
};

// C-contiguous; a page is the last `page_dims` dimensions.
struct RowMajorLayout {
    size_t page_dims;

    std::vector<size_t> dims(const Shape& shape, bool inner) const {
        std::vector<size_t> result(inner ? page_dims : shape.size() - page_dims);
        std::iota(result.begin(), result.end(), inner ? shape.size() - page_dims : 0);
        return result;
    }
    int64_t page_count(const Shape& shape) const { return volume(shape, dims(shape, false)); }
    int64_t page_elements(const Shape& shape) const { return volume(shape, dims(shape, true)); }

    Place place(const Shape& shape, const Shape& index) const {
        return {linear_index(shape, index, dims(shape, false)), linear_index(shape, index, dims(shape, true))};
    }
};

using Layout = std::variant<TileLayout, FlatLayout, RowMajorLayout>;

// ---- A tensor of the kernel ----------------------------------------------------------------------------------------

class Tensor {
public:
    // `block`: the pages hold block floats, whatever the dtype. `value_bits`: those of an int64, but for its sign.
    Tensor(
        std::string name, const std::string& dtype, Shape shape, Layout layout,
        std::optional<BlockFloat> block = std::nullopt, uint32_t value_bits = 31) :
        name_(std::move(name)),
        dtype_(dtype),
        type_(element_type(dtype)),
        shape_(std::move(shape)),
        layout_(std::move(layout)),
        block_(block),
        value_bits_(value_bits),
        data_(static_cast<size_t>(element_count() * type_.host_bytes)) {}

    const std::string& name() const { return name_; }

    int64_t page_bytes() const {
        if (block_) return block_->page_bytes();
        const int64_t used = std::visit([&](const auto& l) { return l.page_elements(shape_); }, layout_) * type_.device_bytes;
        return std::max<int64_t>(1, ceil_div(used, kRowMajorAlignment)) * kRowMajorAlignment;
    }
    int64_t page_count() const {
        return std::max<int64_t>(1, std::visit([&](const auto& l) { return l.page_count(shape_); }, layout_));
    }

    // 32-bit words of all pages.
    size_t page_words() const { return static_cast<size_t>(page_bytes() * page_count() / 4); }

    void load(const std::filesystem::path& file) {
        if (!std::filesystem::exists(file) || std::filesystem::file_size(file) != data_.size()) {
            throw std::runtime_error(
                file.string() + " must exist and have the " + std::to_string(data_.size()) + " bytes of " + description());
        }
        std::ifstream(file, std::ios::binary)
            .read(reinterpret_cast<char*>(data_.data()), static_cast<std::streamsize>(data_.size()));
        if (dtype_ == "int64") check_values();
    }

    void save(const std::filesystem::path& file) const {
        std::ofstream output(file, std::ios::binary);
        output.write(reinterpret_cast<const char*>(data_.data()), static_cast<std::streamsize>(data_.size()));
        output.close();
        if (!output) throw std::runtime_error("cannot write " + file.string());
        std::printf("wrote %s to %s\n", description().c_str(), file.string().c_str());
    }

    // The same numbers on every machine: floats in [-1, 1), integers from 0 to 7.
    void fill(uint64_t seed) {
        uint64_t state = seed * 2862933555777941757u + 3037000493u;
        for (int64_t i = 0; i < element_count(); ++i) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const auto random = static_cast<double>(state >> 40) / static_cast<double>(1 << 24);
            const double limit = dtype_ == "bool" ? 2 : 8;
            store(i, type_.from_number(type_.is_float ? 2 * random - 1 : std::floor(random * limit)));
        }
    }

    // The pages of the device's buffer, padding filled with zeros.
    std::vector<uint32_t> to_pages() const {
        std::vector<uint32_t> words(page_words());
        auto* bytes = reinterpret_cast<uint8_t*>(words.data());
        if (block_) {
            std::vector<float> elements(static_cast<size_t>(page_count() * kTileElements));
            for_each_element([&](int64_t element, const Place& place) {
                const uint32_t bits = type_.to_device(fetch(element)) << (32 - 8 * type_.device_bytes);
                elements[static_cast<size_t>(place.page * kTileElements + place.element)] = std::bit_cast<float>(bits);
            });
            for (int64_t page = 0; page < page_count(); ++page) {
                block_->pack(elements.data() + page * kTileElements, bytes + page * page_bytes());
            }
            return words;
        }
        for_each_element([&](int64_t element, const Place& place) {
            const uint32_t bits = type_.to_device(fetch(element));
            std::memcpy(bytes + offset_of(place), &bits, static_cast<size_t>(type_.device_bytes));
        });
        return words;
    }

    void from_pages(const std::vector<uint32_t>& words) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(words.data());
        for_each_element([&](int64_t element, const Place& place) {
            uint32_t bits = 0;
            if (block_) {
                const float value = block_->unpack(bytes + place.page * page_bytes(), place.element);
                bits = float_bits(value) >> (32 - 8 * type_.device_bytes);
            } else {
                std::memcpy(&bits, bytes + offset_of(place), static_cast<size_t>(type_.device_bytes));
            }
            store(element, type_.to_host(bits));
        });
    }

private:
    int64_t element_count() const {
        return std::accumulate(shape_.begin(), shape_.end(), int64_t{1}, std::multiplies<>());
    }

    std::string description() const {
        std::string text = name_ + " (";
        for (size_t i = 0; i < shape_.size(); ++i) text += (i == 0 ? "" : " x ") + std::to_string(shape_[i]);
        return text + ", " + dtype_ + ")";
    }

    void check_values() const {
        const int64_t limit = int64_t{1} << value_bits_;
        for (int64_t i = 0; i < element_count(); ++i) {
            const auto value = static_cast<int64_t>(fetch(i));
            if (value < -limit || value >= limit) {
                throw std::runtime_error(
                    "element " + std::to_string(i) + " of " + description() + " is " + std::to_string(value) +
                    "; the kernel takes values from " + std::to_string(-limit) + " to " + std::to_string(limit - 1));
            }
        }
    }

    uint64_t fetch(int64_t element) const {
        uint64_t bits = 0;
        std::memcpy(&bits, data_.data() + element * type_.host_bytes, static_cast<size_t>(type_.host_bytes));
        return bits;
    }

    void store(int64_t element, uint64_t bits) {
        std::memcpy(data_.data() + element * type_.host_bytes, &bits, static_cast<size_t>(type_.host_bytes));
    }

    int64_t offset_of(const Place& place) const { return place.page * page_bytes() + place.element * type_.device_bytes; }

    // Calls visit(element in C order, its place on the device).
    template <typename Visit>
    void for_each_element(Visit visit) const {
        Shape index(shape_.size(), 0);
        for (int64_t element = 0; element < element_count(); ++element) {
            const Place place = std::visit([&](const auto& l) { return l.place(shape_, index); }, layout_);
            visit(element, place);
            for (size_t dim = shape_.size(); dim-- > 0 && ++index[dim] == shape_[dim];) index[dim] = 0;
        }
    }

    std::string name_;
    std::string dtype_;
    ElementType type_;
    Shape shape_;
    Layout layout_;
    std::optional<BlockFloat> block_;
    uint32_t value_bits_;
    std::vector<uint8_t> data_;
};

// ---- Work and command line -----------------------------------------------------------------------------------------

struct Share {
    uint32_t start;
    uint32_t count;
};

// Contiguous shares of `total` work items on `cores` cores; the first total % cores cores do one more.
inline Share share_of_core(uint32_t core, int64_t total, uint32_t cores) {
    const auto items = static_cast<uint32_t>(total);
    const uint32_t busy = std::min(items, cores);
    if (core >= busy) return {items, 0};
    const uint32_t each = items / busy;
    const uint32_t more = items % busy;
    return {core * each + std::min(core, more), each + (core < more ? 1 : 0)};
}

inline uint32_t argument_bits(float value) { return std::bit_cast<uint32_t>(value); }
inline uint32_t argument_bits(int64_t value) { return static_cast<uint32_t>(value); }

// `--name value` pairs; a name that the program does not know is an error.
class Options {
public:
    Options(int argc, char** argv, const std::vector<std::string>& known) {
        for (int i = 1; i < argc; i += 2) {
            const std::string name = argv[i];
            if (name.rfind("--", 0) != 0 || std::find(known.begin(), known.end(), name.substr(2)) == known.end()) {
                throw std::invalid_argument("unknown option " + name);
            }
            if (i + 1 == argc) throw std::invalid_argument("option " + name + " needs a value");
            values_[name.substr(2)] = argv[i + 1];
        }
    }

    bool has(const std::string& name) const { return values_.contains(name); }
    std::string text(const std::string& name, const std::string& otherwise) const {
        return has(name) ? values_.at(name) : otherwise;
    }
    int64_t integer(const std::string& name, int64_t otherwise) const {
        return has(name) ? std::stoll(values_.at(name)) : otherwise;
    }
    float number(const std::string& name, float otherwise) const {
        return has(name) ? std::stof(values_.at(name)) : otherwise;
    }

private:
    std::map<std::string, std::string> values_;
};

}  // namespace host
