#include <gmock/gmock.h>

#include "model/reader.hpp"

namespace kist::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

yaml::Node parsed(std::string_view text) {
  auto documents = yaml::parse(text, "f");
  EXPECT_TRUE(documents);
  return documents->front();
}

std::vector<std::string> texts(const std::vector<Notice>& notices) {
  std::vector<std::string> all;
  for (const Notice& notice : notices) all.push_back(to_string(notice));
  return all;
}

TEST(Reader, NothingInAMappingIsDroppedSilently) {
  yaml::Node node = parsed("known: 1\nfine: 2\nlater: 3\nwrong: 4\nother: 5\nempty:\n");
  Notices notices;
  Reader reader("f", notices);
  std::string known;
  EXPECT_TRUE(reader.mapping(node, "a thing",
                             {{.key = "known", .read = [&](const yaml::Node& value) { known = value.text; }},
                              {.key = "fine", .kind = Field::Kind::accepted},
                              {.key = "later", .kind = Field::Kind::later, .remark = "it runs all the same"},
                              {.key = "wrong", .kind = Field::Kind::refused},
                              {.key = "empty", .read = [](const yaml::Node&) { FAIL(); }}}));
  EXPECT_EQ(known, "1");
  EXPECT_THAT(texts(notices.warnings()), ElementsAre("f:3:1: warning: not supported yet: later (it runs all the same)",
                                                     "f:5:1: warning: unknown key 'other' in a thing: it is ignored",
                                                     "f:6:1: warning: 'empty' has no value: it is ignored"));
  EXPECT_EQ(notices.error().text, "f:4:1: not supported yet: wrong");
  EXPECT_EQ(notices.error().kind, ErrorKind::unsupported);
}

TEST(Reader, WhatIsUnsupportedIsSaidOnceForAFile) {
  yaml::Node node = parsed("[a, b]");
  Notices notices;
  for (const char* file : {"one", "one", "two"}) Reader(file, notices).later(node.items[0], "key");
  Reader("one", notices).refuse(node.items[1], "key");
  EXPECT_EQ(notices.warnings().size(), 2u);
  EXPECT_TRUE(notices.has_errors());
}

TEST(Reader, ErrorsAreToldTogetherInTheOrderOfTheirPlaces) {
  yaml::Node node = parsed("- [x]\n- {a: b}\n- maybe\n- ~\n");
  Notices notices;
  Reader reader("f", notices);
  EXPECT_FALSE(reader.boolean(node.items[2], "flag"));
  EXPECT_FALSE(reader.text(node.items[1], "name"));
  EXPECT_FALSE(reader.mapping(node.items[0], "a thing", {}));
  EXPECT_FALSE(reader.text(node.items[3], "name", "a path"));
  EXPECT_EQ(notices.error().text,
            "f:1:3: expected a thing (keys and values), not a list\n"
            "f:2:3: name: expected a text, not a mapping\n"
            "f:3:3: flag: expected true or false, not 'maybe'\n"
            "f:4:3: name: expected a path, not nothing");
  EXPECT_EQ(notices.error().kind, ErrorKind::invalid);
  EXPECT_EQ(reader.boolean(parsed("Yes"), "flag"), true);
}

TEST(Reader, LongValuesAreShownInPartAndWhole) {
  yaml::Node node;
  node.kind = yaml::Kind::scalar;
  node.text = "first\nsecond";
  EXPECT_EQ(describe(node), "'first…'");
  node.text = std::string(59, 'x') + "é and more";
  EXPECT_EQ(describe(node), "'" + std::string(59, 'x') + "…'");
}

}  // namespace
}  // namespace kist::model
