#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/yaml.hpp"

namespace kist::yaml {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

Node parse_one(std::string_view text, const Options& options = {}) {
  auto documents = parse(text, "f.yml", options);
  if (!documents) throw std::runtime_error(documents.error().text);
  if (documents->size() != 1) throw std::runtime_error(fmt::format("{} documents", documents->size()));
  return std::move(documents->front());
}

std::string json_of(std::string_view text, const Options& options = {}) {
  return to_text(to_json(parse_one(text, options)));
}

std::string error_of(std::string_view text, const Options& options = {}) {
  auto documents = parse(text, "f.yml", options);
  if (documents) return "no error";
  EXPECT_EQ(documents.error().kind, ErrorKind::invalid);
  return documents.error().text;
}

// "line:column text" of every node, keys before their values.
std::vector<std::string> places(const Node& node) {
  std::vector<std::string> all{fmt::format("{}:{} {}", node.mark.line, node.mark.column,
                                           node.is_sequence()  ? "[]"
                                           : node.is_mapping() ? "{}"
                                                               : node.text)};
  auto add = [&](const Node& child) {
    for (auto& place : places(child)) all.push_back(std::move(place));
  };
  for (const Node& item : node.items) add(item);
  for (const auto& [key, value] : node.entries) {
    add(key);
    add(value);
  }
  return all;
}

TEST(Yaml, EveryNodeKnowsItsPlace) {
  constexpr std::string_view text =
      "a: 1\n"
      "list:\n"
      "  - \"q r\"\n"
      "  - 'é': [x, {y: 'z'}]\n"
      "  - &here !!str 5\n"
      "  - *here\n";
  auto expected = ElementsAre("1:1 {}", "1:1 a", "1:4 1", "2:1 list", "3:3 []", "3:5 q r", "4:5 {}", "4:5 é", "4:10 []",
                              "4:11 x", "4:14 {}", "4:15 y", "4:18 z", "5:5 5", "5:5 5");
  EXPECT_THAT(places(parse_one(text)), expected);
  // A byte order mark and Windows line ends change nothing.
  std::string windows = "\xEF\xBB\xBF";
  for (char c : text) windows += c == '\n' ? "\r\n" : std::string(1, c);
  EXPECT_THAT(places(parse_one(windows)), expected);
}

TEST(Yaml, BlockScalarsBeginAtTheirIndicatorOrAnchor) {
  EXPECT_THAT(places(parse_one("run: |\n"
                               "\n"
                               "  echo a | b > c\n"
                               "next: &x !!str  >-  # | no\n"
                               "  folded\n"
                               "  text\n"
                               "odd: # comment | >\n"
                               "  |2\n"
                               "   indented\n"
                               "empty: |\n"
                               "'quoted':\n"
                               "  |+\n"
                               "  end\n")),
              ElementsAre("1:1 {}", "1:1 run", "1:6 \necho a | b > c\n", "4:1 next", "4:7 folded text", "7:1 odd",
                          "8:3  indented\n", "10:1 empty", "10:8 ", "11:1 quoted", "12:3 end\n"));
}

TEST(Yaml, AMissingValueStandsBehindWhatAsksForIt) {
  EXPECT_THAT(places(parse_one("a:\nb: # none\nc:\n  -\n  - &x\n  - [y]\n  -\n'd':\ne: {f: , g}\nh: |\n  - x\ni:")),
              ElementsAre("1:1 {}", "1:1 a", "1:3 ", "2:1 b", "2:3 ", "3:1 c", "4:3 []", "4:4 ", "5:5 ", "6:5 []",
                          "6:6 y", "7:4 ", "8:1 d", "8:5 ", "9:1 e", "9:4 {}", "9:5 f", "9:8 ", "9:10 g", "9:11 ",
                          "10:1 h", "10:4 - x\n", "12:1 i", "12:3 "));
}

TEST(Yaml, ScalarsKeepTheirSourceText) {
  Node node = parse_one("[3.10, on, '3.10', \"\", ~, null, !!str null, !own x, 1_000, 2001-01-01]");
  std::vector<std::string> texts;
  for (const Node& item : node.items) texts.push_back(item.text);
  EXPECT_THAT(texts, ElementsAre("3.10", "on", "3.10", "", "~", "null", "null", "x", "1_000", "2001-01-01"));
  EXPECT_FALSE(node.items[0].quoted);
  EXPECT_TRUE(node.items[2].quoted);
  EXPECT_TRUE(node.items[3].is_scalar());
  EXPECT_TRUE(node.items[4].is_null());
  EXPECT_TRUE(node.items[5].is_null());
  EXPECT_TRUE(node.items[6].is_scalar());
  EXPECT_EQ(node.items[6].tag, "!!str");
  EXPECT_EQ(node.items[7].tag, "!own");
}

TEST(Yaml, ReadsDocumentsOneByOne) {
  EXPECT_EQ(parse("", "f")->size(), 0u);
  EXPECT_EQ(parse("# only a comment\n", "f")->size(), 0u);
  auto documents = parse("%YAML 1.1\n--- &a\nx: 1\n---\n---\n- y\n...\n", "f");
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 3u);
  EXPECT_TRUE((*documents)[0].is_mapping());
  EXPECT_TRUE((*documents)[1].is_null());
  EXPECT_TRUE((*documents)[2].is_sequence());
  EXPECT_THAT(error_of("a: &x 1\n---\nb: *x\n"), StartsWith("f.yml:3:4: *x stands for nothing"));
  EXPECT_THAT(error_of("a: 1\n...\nb: 2\n"), StartsWith("f.yml:3:1: expected the end of the file, or a line '---'"));
}

TEST(Yaml, AliasesTakeTheLastAnchorBefore) {
  EXPECT_EQ(json_of("- &a 1\n- *a\n- &a {k: 2}\n- *a\n- &b [&b x, *b]\n- *b\n"),
            R"([1,1,{"k":2},{"k":2},["x","x"],"x"])");
}

TEST(Yaml, AliasesThatCannotEndOrMeanNothing) {
  EXPECT_THAT(error_of("a: &x [1, *x]\n"), StartsWith("f.yml:1:11: *x stands for the very node it is in"));
  EXPECT_THAT(error_of("a: *x\nb: &x 1\n"), StartsWith("f.yml:1:4: *x stands for nothing"));
}

TEST(Yaml, MergesMaps) {
  // Explicit keys win wherever they stand; earlier merges win over later; `<<` may be repeated (CircleCI's files do).
  EXPECT_EQ(json_of("a: &a {x: 1, y: 1}\n"
                    "b: &b {y: 2, z: 2, w: 2}\n"
                    "c:\n"
                    "  <<: [*a, *b]\n"
                    "  z: 3\n"
                    "d:\n"
                    "  z: 4\n"
                    "  <<: *a\n"
                    "  <<: *b\n"
                    "e: &e {<<: *a, v: 5}\n"
                    "f: {<<: {<<: *e, u: 6}}\n"
                    "g: {'<<': text}\n"),
            R"({"a":{"x":1,"y":1},"b":{"y":2,"z":2,"w":2},"c":{"x":1,"y":1,"w":2,"z":3},"d":{"z":4,"x":1,"y":1,"w":2},)"
            R"("e":{"x":1,"y":1,"v":5},"f":{"x":1,"y":1,"v":5,"u":6},"g":{"<<":"text"}})");
  EXPECT_THAT(error_of("a:\n  <<: text\n"), StartsWith("f.yml:2:3: expected a mapping, or a list of mappings"));
  EXPECT_THAT(error_of("a: {<<: [{}, [x]]}\n"), StartsWith("f.yml:1:5: expected a mapping, or a list of mappings"));
}

TEST(Yaml, DuplicateKeysNameBothLines) {
  EXPECT_EQ(error_of("a: 1\nb: 2\n\"a\": 3\n"),
            "f.yml:3:1: the key 'a' is there twice: it was given in line 1 already");
  Options options;
  options.duplicate_keys = true;
  EXPECT_EQ(json_of("a: 1\nb: 2\na: 3\n", options), R"({"b":2,"a":3})");
}

TEST(Yaml, SaysWhatIsWrongInPlainWords) {
  EXPECT_THAT(error_of("a:\n\tb: 1\n"), StartsWith("f.yml:2:1: a tab indents this line"));
  EXPECT_THAT(error_of("a:\n  b: 1\n c: 2\n"), AllOf(StartsWith("f.yml:3:2: "), HasSubstr("indentation")));
  EXPECT_THAT(error_of("a: 1\n- b\n"), AllOf(StartsWith("f.yml:2:1: "), HasSubstr("indentation")));
  EXPECT_THAT(error_of("a: b: c\n"), AllOf(StartsWith("f.yml:1:5: "), HasSubstr("quotes")));
  EXPECT_THAT(error_of("a: @x\n"), AllOf(StartsWith("f.yml:1:4: "), HasSubstr("quotes")));
  EXPECT_THAT(error_of("a: {{x}}\n"), AllOf(StartsWith("f.yml:1:5: "), HasSubstr("quotes")));
  EXPECT_THAT(error_of("\n  a: [1,\n  b\n"),
              StartsWith("f.yml:4:1: expected ',' or ']': the bracket of line 2, column 6 is not closed"));
  EXPECT_THAT(error_of("a: \"x\n"), AllOf(StartsWith("f.yml:1:4: "), HasSubstr("no closing quote")));
  EXPECT_THAT(error_of("a: \"x\\dy\"\n"), AllOf(StartsWith("f.yml:1:6: "), HasSubstr("backslash")));
  EXPECT_THAT(error_of("?\n: 1\n"), AllOf(StartsWith("f.yml:1:"), HasSubstr("expected a key")));
  EXPECT_THAT(error_of("a:\n  : 1\n"), AllOf(StartsWith("f.yml:2:3: "), HasSubstr("expected a key")));
}

TEST(Yaml, RefusesWhatIsNoText) {
  using namespace std::literals;
  EXPECT_THAT(error_of("a: 1\nb: \xff\n"), StartsWith("f.yml:2:4: byte 0xff is not UTF-8"));
  EXPECT_THAT(error_of("é: \xc0\x80"), StartsWith("f.yml:1:4: byte 0xc0 is not UTF-8"));
  EXPECT_THAT(error_of("a: \xed\xa0\x80"), HasSubstr("not UTF-8"));
  EXPECT_THAT(error_of("a: \xe2\x82"), HasSubstr("not UTF-8"));
  EXPECT_THAT(error_of("a: 1\0b"sv), StartsWith("f.yml:1:5: control character 0x00"));
  EXPECT_EQ(json_of("a: \"\xf0\x9f\xa6\x93 \\x1b\""), "{\"a\":\"\xf0\x9f\xa6\x93 \\u001b\"}");
}

// Go's YAML library reads it, and Onepanel's own workspaces were written for that.
TEST(Yaml, ReadsABackslashBeforeASingleQuote) {
  EXPECT_THAT(
      places(parse_one("a: [\"it\\'s \\\" \\\\ 'x'\\'\", b]\nc: \"\n  \\'\" \nd: 1")),
      ElementsAre("1:1 {}", "1:1 a", "1:4 []", "1:5 it's \" \\ 'x''", "1:26 b", "2:1 c", "2:4  '", "4:1 d", "4:4 1"));
  EXPECT_THAT(error_of("a: [\"\\'\", \"\\d\"]"), StartsWith("f.yml:1:12: "));
}

TEST(Yaml, KeepsTheEndOfABlockScalarAsWritten) {
  EXPECT_EQ(json_of("a: |\n  x"), R"({"a":"x"})");
  EXPECT_EQ(json_of("a: |\n  x\n"), R"({"a":"x\n"})");
  EXPECT_EQ(json_of("a: |\n  x\n  "), R"({"a":"x\n"})");
  EXPECT_EQ(json_of("a: |\n  x\n# c"), R"({"a":"x\n"})");
  EXPECT_EQ(json_of("a: >\n  x\n  y"), R"({"a":"x y"})");
}

TEST(Yaml, BombsAreErrors) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    laughs += fmt::format("a{0}: &a{0} [", i);
    for (int k = 0; k < 10; ++k) laughs += fmt::format("*a{}, ", i - 1);
    laughs += "]\n";
  }
  EXPECT_THAT(error_of(laughs), AllOf(StartsWith("f.yml:6:"), HasSubstr("2000000 values")));
  // One long text, many times.
  std::string text = "- &t " + std::string(1'000'000, 'x') + "\n";
  for (int i = 0; i < 10'000; ++i) text += "- *t\n";
  EXPECT_THAT(error_of(text), HasSubstr("2000000 values"));
  EXPECT_THAT(error_of(std::string(100'000, '[')), HasSubstr("nested too deeply"));
  std::string deep = "- &a0 [x]\n";
  for (int i = 1; i < 300; ++i) deep += fmt::format("- &a{} [*a{}]\n", i, i - 1);
  EXPECT_THAT(error_of(deep), HasSubstr("nested too deeply"));
}

TEST(Yaml, TypesPlainScalarsByTheCoreSchema) {
  auto node = [](std::string_view text) { return parse_one(text); };
  EXPECT_EQ(as_boolean(node("True")), true);
  EXPECT_EQ(as_boolean(node("FALSE")), false);
  EXPECT_EQ(as_boolean(node("on")), std::nullopt);
  EXPECT_EQ(as_boolean(node("on"), true), true);
  EXPECT_EQ(as_boolean(node("No"), true), false);
  EXPECT_EQ(as_boolean(node("'true'")), std::nullopt);
  EXPECT_EQ(as_boolean(node("!!bool 'true'")), true);
  EXPECT_EQ(as_integer(node("0755")), 493);
  EXPECT_EQ(as_integer(node("0o755")), 493);
  EXPECT_EQ(as_integer(node("0x1F")), 31);
  EXPECT_EQ(as_integer(node("09")), 9);
  EXPECT_EQ(as_integer(node("+7")), 7);
  EXPECT_EQ(as_integer(node("-9223372036854775808")), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(as_integer(node("9223372036854775808")), std::nullopt);
  EXPECT_EQ(as_integer(node("0x")), std::nullopt);
  EXPECT_EQ(as_integer(node("1.0")), std::nullopt);
  EXPECT_EQ(as_integer(node("'1'")), std::nullopt);
  EXPECT_EQ(as_integer(node("!!str 1")), std::nullopt);
  EXPECT_EQ(as_integer(node("1:30")), std::nullopt);
  EXPECT_EQ(as_number(node("3.10")), 3.1);
  EXPECT_EQ(as_number(node("-.5e-1")), -0.05);
  EXPECT_EQ(as_number(node("+1.")), 1.0);
  EXPECT_EQ(as_number(node("9223372036854775808")), 9223372036854775808.0);
  EXPECT_EQ(as_number(node("-.inf")), -std::numeric_limits<double>::infinity());
  for (const char* text : {"1e", ".", "e5", "1.2.3", "nan", "1e400", "- 1"})
    EXPECT_EQ(as_number(node(text)), std::nullopt) << text;
  EXPECT_EQ(json_of("[1, 1.5, true, on, '1', ~, .inf, 0755, 12345678901234567890, 123456789012345678901]"),
            R"([1,1.5,true,"on","1",null,".inf",493,12345678901234567890,1.2345678901234568e+20])");
}

TEST(Yaml, JsonIsYaml) {
  constexpr std::string_view text = R"({"a":[1,2.5,"x\né\/",null,true,{}],"b":{"c":""}})";
  EXPECT_EQ(json_of(text), R"({"a":[1,2.5,"x\né/",null,true,{}],"b":{"c":""}})");
  EXPECT_EQ(json_of("{\n\t\"tabs\": [\n\t\t1\n\t]\n}\n"), R"({"tabs":[1]})");
}

// Every file of a collection of real workflow files can be read, but those that its index calls broken. The collection
// is KIST_CORPUS, or `shared/corpus` beside a directory above this one.
TEST(Yaml, ReadsEveryRealFile) {
  namespace fs = std::filesystem;
  fs::path corpus;
  if (const char* named = std::getenv("KIST_CORPUS")) corpus = named;
  for (fs::path above = fs::current_path(); corpus.empty() && above.has_relative_path(); above = above.parent_path())
    if (fs::exists(above / "shared/corpus/INDEX.tsv")) corpus = above / "shared/corpus";
  if (!fs::exists(corpus / "INDEX.tsv"))
    GTEST_SKIP() << "no collection of workflow files is here; KIST_CORPUS names one";

  std::set<std::string> broken{
      "argo/examples/k8s-patch-json-workflow.yaml",     // `annotations` twice
      "circleci/docs-seed-era/getting-started-01.yml",  // `build` twice
  };
  std::ifstream index(corpus / "INDEX.tsv");
  for (std::string line; std::getline(index, line);)
    if (line.contains("\tparse-error") || line.contains("\tX-invalid-yaml"))
      broken.insert(line.substr(0, line.find('\t')));

  int read = 0;
  for (const auto& entry : fs::recursive_directory_iterator(corpus)) {
    std::string name = fs::relative(entry.path(), corpus).string();
    if ((entry.path().extension() != ".yaml" && entry.path().extension() != ".yml") || broken.contains(name)) continue;
    auto documents = parse(read_file(entry.path()).value(), name);
    EXPECT_TRUE(documents) << documents.error().text;
    ++read;
  }
  EXPECT_GT(read, 1000);
}

}  // namespace
}  // namespace kist::yaml
