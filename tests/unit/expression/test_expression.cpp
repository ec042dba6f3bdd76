// The language itself: what expr-lang's language definition and Argo's documentation promise.
#include <gtest/gtest.h>

#include "expression/environment.hpp"

namespace kist::expression {
namespace {

const Environment& environment() {
  static const Environment environment(Json::parse(R"({
    "inputs.parameters.x": "5", "inputs.parameters.my-x": "dash", "inputs.artifacts.in": {"name": "in", "s3": {"key": "k"}},
    "inputs.artifacts.in.path": "/tmp/in", "item": {"name": "a", "size": 3, "list": [1, 2]}, "flag": true, "none": null,
    "steps.a-b.outputs.result": "42", "steps.a-b.status": "Succeeded", "workflow.name": "wf",
    "workflow.parameters": "[]", "workflow.parameters.p": "v", "workflow.parameters.json": "[{}]",
    "workflow.labels.a/b": "slash", "workflow.labels.app.io/n": "dots", "empty": ""})"));
  return environment;
}

void expect_each(std::initializer_list<Example> examples) {
  for (const Example& example : examples)
    EXPECT_EQ(value_of(example.expression, environment()), example.value) << example.expression;
}

void expect_error(std::initializer_list<Example> examples) {
  for (const Example& example : examples) {
    std::string value = value_of(example.expression, environment());
    EXPECT_TRUE(value.starts_with("error: ") && value.contains(example.value)) << example.expression << " → " << value;
  }
}

TEST(Expression, Literals) {
  expect_each({{"42", "42"},
               {"0x2A + 0o52 + 0b101010", "126"},
               {"1_000", "1000"},
               {"0.5 + .5", "1"},
               {"1e3", "1000"},
               {"'it\\'s' + \"\\t\\u00e9\\x41\\101\\u{1F600}\"",
                "\"it's\\té"
                "AA😀\""},
               {"`raw \\n`", R"("raw \\n")"},
               {"`a``b`", R"("a`b")"},
               {"nil", "null"},
               {"true and not false", "true"},
               {"[1, 'a', [nil],]", R"([1,"a",[null]])"},
               {"{a: 1, 'b c': 2, 3: 3, ('d' + 'e'): 4,}", R"({"3":3,"a":1,"b c":2,"de":4})"},
               {"1 /* one */ + // and\n 1", "2"}});
}

TEST(Expression, OperatorsAndTheirOrder) {
  expect_each({{"1 + 2 * 3", "7"},
               {"(1 + 2) * 3", "9"},
               {"2 ** 3 ** 2", "512"},
               {"-2 ** 2", "-4"},
               {"2 ^ 3", "8"},
               {"7 / 2", "3.5"},
               {"7 % 4", "3"},
               {"-7 % 4", "-3"},
               {"1 - 2 - 3", "-4"},
               {"'a' + 'b' == 'ab'", "true"},
               {"1 == 1.0", "true"},
               {"1 == '1'", "false"},
               {"[1, 2] == [1.0, 2]", "true"},
               {"{a: 1} == {a: 1}", "true"},
               {"1 < 2 and 'a' < 'b'", "true"},
               {"1 < 2 < 3", "true"},
               {"1 < 3 < 2", "false"},
               {"true or 1 / 0 > x", "true"},
               {"true || false && false", "true"},
               {"not (1 == 2)", "true"},
               {"! flag", "false"},
               {"'John' in ['John', 'Jane']", "true"},
               {"'name' in {name: 1}", "true"},
               {"3 not in [1, 2]", "true"},
               {"'foobar' startsWith 'foo' and 'foobar' endsWith 'bar' and 'foobar' contains 'oob'", "true"},
               {"'foo' not startsWith 'f'", "false"},
               {"'v1.2' matches '^v\\\\d+'", "true"},
               {"nil matches 'a'", "false"},
               {"1..3", "[1,2,3]"},
               {"3..1", "[]"},
               {"1..3 == [1, 2, 3]", "true"},
               {"flag ? 'yes' : 'no'", "\"yes\""},
               {"false ? 1 : false ? 2 : 3", "3"},
               {"flag ?: 'no'", "true"},
               {"if flag { 1 } else { 2 }", "1"},
               {"if !flag { 1 } else if 1 > 2 { 2 } else { let y = 3; y }", "3"},
               {"none ?? 'fallback'", "\"fallback\""},
               {"empty ?? 'fallback'", "\"\""},
               {"none ?? nil ?? 3", "3"},
               {"'a' == (none ?? 'a')", "true"},
               {"let x = 42; let y = x * 2; y + x", "126"},
               {"9223372036854775807 + 1", "-9223372036854775808"},
               {"'a b' | upper() | split(' ') | join('-')", "\"A-B\""}});
}

TEST(Expression, MembersAndSlices) {
  expect_each({{"[1, 2, 3][0]", "1"},
               {"[1, 2, 3][-1]", "3"},
               {"[1, 2, 3, 4, 5][1:4]", "[2,3,4]"},
               {"[1, 2, 3, 4, 5][1:-1]", "[2,3,4]"},
               {"'hello'[1:3]", "\"el\""},
               {"[1, 2, 3][:]", "[1,2,3]"},
               {"[1][5:]", "[]"},
               {"{a: {b: 1}}.a.b", "1"},
               {"{a: 1}?.a", "1"},
               {"{a: nil}.a?.b.c", "null"},
               {"none?.b?.['c']", "null"},
               {"{a: 1}.missing", "null"},
               {"item.list[1]", "2"},
               {"item.size + 1", "4"}});
  expect_error({{"{a: 1}.b.c", "'c' cannot be taken of nil"}, {"[1][3]", "there is no element 3"}});
}

TEST(Expression, Predicates) {
  expect_each({{"filter(0..9, {# % 2 == 0})", "[0,2,4,6,8]"},
               {"map([{s: 1}, {s: 2}], .s * 10)", "[10,20]"},
               {"map(['a', 'b'], {#index})", "[0,1]"},
               {"all([1, 2], # > 0) and any([1, 2], {# > 1}) and none([1], # > 1) and one([1, 2], # == 2)", "true"},
               {"all([], false)", "true"},
               {"count([1, 2, 3], # > 1)", "2"},
               {"count([true, false])", "1"},
               {"sum([1, 2.5])", "3.5"},
               {"sum([{n: 1}, {n: 2}], .n)", "3"},
               {"find([1, 2, 3], # > 1)", "2"},
               {"findIndex([1, 2, 3], # > 1)", "1"},
               {"findLast([1, 2, 3], # > 1)", "3"},
               {"findLastIndex([1, 2, 3], # > 1)", "2"},
               {"find([1], # > 1)", "null"},
               {"reduce(1..9, #acc + #)", "45"},
               {"reduce([], #acc + #, 7)", "7"},
               {"sortBy([{a: 2}, {a: 1}], .a)", R"([{"a":1},{"a":2}])"},
               {"sortBy([1, 2, 3], -#)", "[3,2,1]"},
               {"sortBy([1, 3, 2], #, 'desc')", "[3,2,1]"},
               {"groupBy([1, 2, 3], # % 2 == 0 ? 'even' : 'odd')", R"({"even":[2],"odd":[1,3]})"},
               {"filter([1, 2, 3], {let y = #; any([2, 3], # == y)})", "[2,3]"},
               {"[1, 2, 3] | filter(# > 1) | map(# * 2)", "[4,6]"}});
  expect_error(
      {{"filter([1], 1)", "not true or false"}, {"map(1, #)", "needs an array"}, {"reduce([], #)", "initial value"}});
}

TEST(Expression, NamesAreSeenAsNestedMaps) {
  expect_each({{"inputs.parameters.x", "\"5\""},
               {"inputs.parameters['my-x']", "\"dash\""},
               {"steps['a-b'].outputs.result", "\"42\""},
               {"asInt(steps['a-b'].outputs.result) + 1", "43"},
               {"steps['a' + '-b'].status", "\"Succeeded\""},
               {"workflow.labels['a/b']", "\"slash\""},
               {"workflow.labels['app.io/n']", "\"dots\""},
               {"keys(inputs.parameters)", R"(["my-x","x"])"},
               {"toJson(inputs.parameters)", R"("{\"my-x\":\"dash\",\"x\":\"5\"}")"},
               {"workflow.parameters", R"({"json":"[{}]","p":"v"})"},
               {"workflow.parameters.json", "\"[{}]\""},
               {"item", R"({"list":[1,2],"name":"a","size":3})"},
               {"item.name", "\"a\""},
               {"inputs.artifacts.in.s3.key", "\"k\""},
               {"inputs.artifacts.in.path", "\"/tmp/in\""},
               {"inputs.parameters.missing", "null"},
               {"inputs.parameters.missing == nil", "true"},
               {"item.missing ?? 'fallback'", "\"fallback\""},
               {"get(item, 'missing') ?? 'always'", "\"always\""},
               {"steps.skipped.outputs.result ?? 'fallback'", "\"fallback\""},
               {"steps.skipped?.outputs?.result", "null"},
               {"nowhere.at.all ?? 'fallback'", "\"fallback\""},
               {"'item' in $env", "true"},
               {"$env['workflow'].name", "\"wf\""},
               {"$env.item.name", "\"a\""},
               {"let workflow = {name: 'mine'}; workflow.name", "\"mine\""}});
  expect_error({{"nowhere", "unknown name 'nowhere'"},
                {"nowhere.at.all == nil", "unknown name 'nowhere.at.all'"},
                {"inputs.nowhere.x", "'x' cannot be taken of nil"},
                {"steps.a-b.outputs.result", "unknown name 'b.outputs.result'"},
                {"steps.skipped.outputs.result", "the step was skipped"},
                {"steps.nowhere.outputs.result ?? 'fallback'", "there is no such step"},
                {"sprig.genCA('a', 1)", "unknown name 'sprig.genCA'"},
                {"sprig.env('HOME')", "unknown name 'sprig.env'"},
                {"frobnicate(1)", "unknown name 'frobnicate'"}});
}

TEST(Expression, SaysWhatCannotBeRead) {
  expect_error({{"", "column 1"},
                {"1 +", "column 4: something is missing at the end"},
                {"a b", "column 3: 'b' was not expected"},
                {"(1", "')' is missing"},
                {"'open", "column 1: a text is not closed"},
                {"12ab", "is not a number"},
                {"99999999999999999999", "too large"},
                {"'\\q'", "no such escape"},
                {"{+: 1}", "the key of a map"},
                {"none ?? 1 + 1", "needs brackets"},
                {"map([1])", "map takes 2 arguments"},
                {"upper()", "upper takes 1 arguments"},
                {"# > 1", "'#' was not expected"},
                {"1 /* open", "a comment is not closed"},
                {"a @ b", "'@' was not expected"},
                {"1 + 'a'", "column 3: '+' does not go with int and string"},
                {"'1' > 0", "cannot be ordered"},
                {"1 ? 2 : 3", "'?' needs true or false, not int"},
                {"5 % 0", "division by zero"},
                {"'a' matches '('", "is not a pattern"}});
}

TEST(Expression, KnowsTheNamesItNeeds) {
  auto names = [](std::string_view source) {
    std::string text;
    for (const Mention& mention : Expression::parse(source).value().mentions())
      text += mention.name + (mention.may_be_absent ? "? " : " ");
    return text;
  };
  EXPECT_EQ(names("asInt(steps['a-b'].outputs.result) > inputs.parameters.x"),
            "steps.a-b.outputs.result inputs.parameters.x ");
  EXPECT_EQ(names("tasks[item].status"), "tasks item ");
  EXPECT_EQ(names("let a = b.c; a.d + map([1], # + e)"), "b.c e ");
  EXPECT_EQ(names("a.b ?? c?.d ?? e"), "a.b? c.d? e ");
  EXPECT_EQ(names("a.b ?? a.b"), "a.b ");
  EXPECT_EQ(names("sprig.upper($env['x'].y)"), "x.y ");
}

TEST(Expression, EndsInsteadOfLoopingOrEatingMemory) {
  expect_error({{"1..10000000000", "bytes"},
                {"len(repeat('0123456789', 1000000) + repeat('0123456789', 1000000))", "bytes"},
                {"map(1..2000, map(1..2000, #))", "more than"},
                {"reduce(1..200, [#acc, #acc], 1)", "more than"},
                {"reduce(1..1000, [#acc], 1)", "levels"},
                {"reduce(1..100, #acc + #acc, 'x')", "bytes"},
                {"sprig.repeat(100000000, 'abc')", "is more than 1000000"},
                {"sprig.untilStep(0, 100000000000, 1)", "more than"},
                {"replace(repeat('a', 1000000), 'a', repeat('b', 1000))", "bytes"},
                {"'a' matches '((a{900}){900}){900}'", "is not a pattern"}});
  std::string deep(100'000, '(');
  EXPECT_TRUE(value_of(deep, environment()).contains("error"));
  EXPECT_TRUE(value_of(std::string(50'000, '-') + "1", environment()).contains("levels"));
  std::string sum = "1";
  for (int i = 0; i < 5'000; ++i) sum += "+1";
  EXPECT_TRUE(value_of(sum, environment()).contains("levels"));
  std::string members = "item";
  for (int i = 0; i < 5'000; ++i) members += ".a";
  EXPECT_TRUE(value_of(members, environment()).contains("levels"));
}

TEST(Expression, GivesTrueOrFalseForConditions) {
  auto truth = [](std::string_view source) { return evaluate_bool(Expression::parse(source).value(), environment()); };
  EXPECT_TRUE(truth("steps['a-b'].status == 'Succeeded'").value());
  EXPECT_FALSE(truth("workflow.name == 'other'").value());
  EXPECT_EQ(truth("workflow.name").error().text, "'workflow.name': gives string, not true or false");
}

}  // namespace
}  // namespace kist::expression
