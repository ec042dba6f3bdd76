// The words that counted run names are made of: grumpy-zebra-1.
#pragma once

#include <span>
#include <string_view>

namespace kist::model {

std::span<const std::string_view> adjectives();
std::span<const std::string_view> animals();

}  // namespace kist::model
