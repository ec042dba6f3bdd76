#include <gtest/gtest.h>

#include "base/base64.hpp"

namespace kist {
namespace {

TEST(Base64, is_read_as_others_write_it) {
  for (const auto& [text, bytes] : {std::pair<std::string_view, std::string_view>{"", ""},
                                    {"YQ==", "a"},
                                    {"YWI=", "ab"},
                                    {"YWJj", "abc"},
                                    {" YW\r\nI=\n", "ab"}}) {
    EXPECT_EQ(from_base64(text).value(), bytes) << text;
  }
  EXPECT_EQ(from_base64(to_base64(std::string_view("\0\xff\n", 3))).value(), std::string_view("\0\xff\n", 3));
  for (const char* wrong : {"YW", "Y===", "====", "!!!!", "YW=I", "Y W=", "YWJjZA"})
    EXPECT_FALSE(from_base64(wrong)) << wrong;
}

TEST(Base64, has_a_form_for_addresses) {
  EXPECT_EQ(to_base64_url("\xff\xfe\xfd\xfc"), "__79_A");
}

}  // namespace
}  // namespace kist
