// Coordinates and sets of worker cores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tt {

struct xy_pair {
    std::size_t x = 0;
    std::size_t y = 0;

    friend constexpr bool operator==(const xy_pair&, const xy_pair&) = default;
    friend constexpr auto operator<=>(const xy_pair&, const xy_pair&) = default;
};

namespace tt_metal {

using CoreCoord = tt::xy_pair;

// The rectangle from start_coord to end_coord, both inside.
class CoreRange {
public:
    CoreCoord start_coord;
    CoreCoord end_coord;

    CoreRange(const CoreCoord& point);
    CoreRange(const CoreCoord& start, const CoreCoord& end);

    std::size_t size() const;
    bool contains(const CoreCoord& core) const;
};

class CoreRangeSet {
public:
    CoreRangeSet() = default;
    CoreRangeSet(const CoreRange& core_range);
    CoreRangeSet(std::span<const CoreRange> core_ranges);
    CoreRangeSet(std::vector<CoreRange>&& core_ranges);

    const std::vector<CoreRange>& ranges() const;
    std::uint32_t num_cores() const;
    bool contains(const CoreCoord& core) const;

private:
    std::vector<CoreRange> ranges_;
};

}  // namespace tt_metal
}  // namespace tt
