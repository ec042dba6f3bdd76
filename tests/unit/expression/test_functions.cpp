// expr-lang's functions, Argo's, and Sprig's: what their documentation promises.
#include <gtest/gtest.h>

#include "expression/environment.hpp"

namespace kist::expression {
namespace {

void expect(std::initializer_list<Example> examples) {
  Environment environment(Json::parse(R"({"data": "{\"a\": 1, \"list\": [1, 2, 3]}", "staff":
    "{\"employees\": [{\"name\": \"Baris\", \"age\": 43}, {\"name\": \"Mo\", \"age\": 42}, {\"name\": \"Jai\", \"age\": 44}]}"})"));
  for (const Example& example : examples) {
    std::string value = value_of(example.expression, environment);
    if (example.value.starts_with("error"))
      EXPECT_TRUE(value.starts_with("error") && value.contains(example.value.substr(5)))
          << example.expression << " → " << value;
    else
      EXPECT_EQ(value, example.value) << example.expression;
  }
}

TEST(Functions, Texts) {
  expect({{"trim('  a ') + trim('__b__', '_')", R"("ab")"},
          {"trimPrefix('HelloWorld', 'Hello') + trimSuffix('HelloWorld', 'World')", R"("WorldHello")"},
          {"upper('hé') + lower('HÉ')", R"("HÉhé")"},
          {"split('a,b,c', ',')", R"(["a","b","c"])"},
          {"split('a,b,c', ',', 2)", R"(["a","b,c"])"},
          {"splitAfter('a,b', ',')", R"(["a,","b"])"},
          {"split('añb', '')", R"(["a","ñ","b"])"},
          {"replace('aXbX', 'X', '-')", R"("a-b-")"},
          {"replace('aXbX', 'X', '-', 1)", R"("a-bX")"},
          {"repeat('Hi', 3)", R"("HiHiHi")"},
          {"indexOf('apple pie', 'pie')", "6"},
          {"lastIndexOf('apple pie apple', 'apple')", "10"},
          {"indexOf('a', 'b')", "-1"},
          {"hasPrefix('ab', 'a') and hasSuffix('ab', 'b')", "true"},
          {"join(['a', 'b'], ',') + join(['c'])", R"("a,bc")"},
          {"len('héllo')", "5"},
          {"upper(1)", "error upper: argument 1 must be a string, not int"}});
}

TEST(Functions, ListsAndMaps) {
  expect({{"first([1, 2]) + last([1, 2])", "3"},
          {"first([])", "null"},
          {"take([1, 2, 3], 2)", "[1,2]"},
          {"take([1], 5)", "[1]"},
          {"reverse([3, 1, 4])", "[4,1,3]"},
          {"concat([1, 2], [3], [])", "[1,2,3]"},
          {"flatten([1, [2, [3]]])", "[1,2,3]"},
          {"uniq([1, 2, 1.0, 'a', 'a'])", R"([1,2,"a"])"},
          {"len(uniq(1..20000)) + len(uniq([1, '1', [1], [1.0], nil, nil]))", "20004"},
          {"count(1..2000, # in 1..20)", "20"},
          {"sort([3, 1, 2])", "[1,2,3]"},
          {"sort(['b', 'a'], 'desc')", R"(["b","a"])"},
          {"sort([1, 'a'])", "error cannot be ordered"},
          {"keys({b: 1, a: 2})", R"(["a","b"])"},
          {"values({b: 1, a: 2})", "[2,1]"},
          {"toPairs({a: 1})", R"([["a",1]])"},
          {"fromPairs([['a', 1]])", R"({"a":1})"},
          {"get([1], 5) ?? get({a: 1}, 'a')", "1"},
          {"len([1, 2]) + len({a: 1})", "3"}});
}

TEST(Functions, Numbers) {
  expect({{"abs(-5) + abs(-0.5)", "5.5"},
          {"[ceil(1.2), floor(1.8), round(1.5), round(-1.5)]", "[2,1,2,-2]"},
          {"max(5, 7) + min([1, [2, 0]])", "7"},
          {"mean([1, 2, 3]) + median([5, 1, 2, 3])", "4.5"},
          {"int('123') + int(1.9)", "124"},
          {"float('1.5')", "1.5"},
          {"asInt('7') + asFloat('0.5')", "7.5"},
          {"int('x')", "error int: 'x' is not an integer"},
          {"bitand(0b1010, 0b1100) == 0b1000 and bitor(0b1010, 0b1100) == 0b1110", "true"},
          {"bitxor(0b1010, 0b1100) == 0b110 and bitnand(0b1010, 0b1100) == 0b10", "true"},
          {"bitnot(0b1010) == -0b1011 and bitshl(0b101101, 2) == 0b10110100", "true"},
          {"bitshr(0b101101, 2) == 0b1011 and bitushr(-0b101, 2) == 4611686018427387902", "true"}});
}

TEST(Functions, Conversions) {
  expect({{"string(5.0) + string(true) + string([1, 'a']) + string({a: nil})", R"("5true[1 a]map[a:<nil>]")"},
          {"string(1e21) + ' ' + string(0.00001)", R"("1e+21 1e-05")"},
          {"toJson({b: [1, 2.5, 'x'], a: nil})", R"("{\"a\":null,\"b\":[1,2.5,\"x\"]}")"},
          {"toJson('<&>')", R"("\"\\u003c\\u0026\\u003e\"")"},
          {"toJSON({a: [1]})", R"("{\n  \"a\": [\n    1\n  ]\n}")"},
          {"fromJSON(data).list[1] + 1", "3"},
          {"fromJSON('{')", "error fromJSON"},
          {"toBase64('Hello') + fromBase64('SGVsbG8=')", R"("SGVsbG8=Hello")"},
          {"fromBase64('?')", "error it is not base64"},
          {"map([nil, true, 1, 1.5, '', [], {}], type(#))", R"(["nil","bool","int","float","string","array","map"])"},
          {"type(now()) + type(duration('1s'))", R"("time.Timetime.Duration")"}});
}

TEST(Functions, JsonPath) {
  expect({{"jsonpath(data, '$.a')", "1"},
          {"jsonpath(data, '$.list[-1]')", "3"},
          {"jsonpath(data, '$[\"list\"][0:2]')", "[1,2]"},
          {"jsonpath(data, '$.list[::2]')", "[1,3]"},
          {"jsonpath(data, '$.list[0,2]')", "[1,3]"},
          {"jsonpath(staff, '$.employees[*].name')", R"(["Baris","Mo","Jai"])"},
          {"jsonpath(staff, '$.employees[?(@.name==\"Baris\")].age')", "[43]"},
          {"jsonpath(staff, '$.employees[?(@.age>42 && @.age<44)].age')", "[43]"},
          {"jsonpath(staff, '$.employees[0:1]')", R"([{"age":43,"name":"Baris"}])"},
          {"jsonpath(staff, '$.employees[(@.length-1)].name')", R"("Jai")"},
          {"jsonpath(staff, '$..age')", "[43,42,44]"},
          {"jsonpath(data, '$')", R"({"a":1,"list":[1,2,3]})"},
          {"jsonpath(data, '$.missing')", "error there is no 'missing'"},
          {"jsonpath(data, 'a')", "error is not a path"},
          {"jsonpath('{', '$')", "error jsonpath"}});
}

TEST(Functions, Dates) {
  expect({{"date('2023-08-14').Year()", "2023"},
          {"date('2023-08-14T10:11:12Z')", R"("2023-08-14T10:11:12Z")"},
          {"date('2023-08-14') + duration('25h')", R"("2023-08-15T01:00:00Z")"},
          {"(date('2023-08-14') - date('2023-08-13')).Hours()", "24"},
          {"date('2023-08-14') > date('2023-08-13')", "true"},
          {"duration('1h').Seconds() == 3600", "true"},
          {"string(duration('90m') * 2)", R"("3h0m0s")"},
          {"date('2023-08-14 00:00:00', '2006-01-02 15:04:05', 'Europe/Zurich')", R"("2023-08-14T00:00:00+02:00")"},
          {"date('2023-01-14 12:00:00').In(timezone('Europe/Zurich')).Hour()", "13"},
          {"date(timezone('America/New_York'), '2023-07-01').UTC().Hour()", "4"},
          {"date('02 Jan 06 15:04 MST').Month()", "1"},
          {"date('Mon, 02 Jan 2006 15:04:05 GMT').Unix()", "1136214245"},
          {"[date('2024-02-29').YearDay(), date('2024-02-29').Weekday(), date('15:04:05').Minute()]", "[60,4,4]"},
          {"now()", R"("2026-03-04T05:06:07.089Z")"},
          {"now().Format('Monday, 2 January 2006 03:04:05.000 PM MST -0700 Z07:00 _2 002 06')",
           R"("Wednesday, 4 March 2026 05:06:07.089 AM UTC +0000 Z  4 063 26")"},
          {"now().AddDate(0, 1, -4).Format('Jan 2')", R"("Mar 31")"},
          {"now().Truncate(duration('1h')).Minute()", "0"},
          {"date('2023-02-30')", "error is not a date"},
          {"date('14.08.2023', '02.01.2006').Day()", "14"},
          {"timezone('Nowhere/Land')", "error there is no time zone"},
          {"timezone('../../etc/passwd')", "error there is no time zone"},
          {"now().Nonsense()", "error has no method 'Nonsense'"}});
}

TEST(Sprig, Texts) {
  expect({{"sprig.upper('a') + sprig.title('hello wide world') + sprig.untitle('Hello World')",
           R"("AHello Wide Worldhello world")"},
          {"sprig.trunc(5, 'hello world') + sprig.trunc(-5, 'hello world')", R"("helloworld")"},
          {"sprig.trimAll('$', '$5.00') + sprig.trimSuffix('-', 'a-') + sprig.trimPrefix('-', '-b')", R"("5.00ab")"},
          {"sprig.repeat(3, 'ab') + sprig.substr(0, 5, 'hello world') + sprig.nospace('h e')", R"("abababhellohe")"},
          {"sprig.initials('First Try') + sprig.abbrev(5, 'hello world') + sprig.abbrevboth(5, 10, '1234 5678 9123')",
           R"("FThe......5678...")"},
          {"sprig.contains('cat', 'catch') and sprig.hasPrefix('cat', 'catch') and sprig.hasSuffix('tch', 'catch')",
           "true"},
          {"sprig.quote('a\"b', 1, nil) + sprig.squote('c') + sprig.cat('x', 1)", R"("\"a\\\"b\" \"1\"'c'x 1")"},
          {"sprig.indent(2, 'a\\nb') + sprig.nindent(1, 'c')", R"("  a\n  b\n c")"},
          {"sprig.replace('bar', 'baz', 'foo bar')", R"("foo baz")"},
          {"sprig.plural('one', 'many', 1) + sprig.plural('one', 'many', 2)", R"("onemany")"},
          {"sprig.snakecase('FirstName') + ' ' + sprig.camelcase('http_server') + ' ' + sprig.kebabcase('HTTPServer')",
           R"("first_name HttpServer http-server")"},
          {"sprig.swapcase('This Is') + sprig.wrap(5, 'hello big world')", R"("tHIS iShello\nbig\nworld")"},
          {"sprig.split('$', 'foo$bar')._1 + sprig.splitList(',', 'a,b')[0] + sprig.splitn('$', 2, 'a$b$c')._1",
           R"("barab$c")"},
          {"sprig.join('-', [1, 'a', nil, true])", R"("1-a-true")"},
          {"sprig.sortAlpha(['b', 'a'])", R"(["a","b"])"}});
}

TEST(Sprig, ListsAndMaps) {
  expect({{"sprig.first([1, 2]) + sprig.last([1, 2])", "3"},
          {"[sprig.rest([1, 2, 3]), sprig.initial([1, 2, 3]), sprig.append([1], 2), sprig.prepend([1], 0)]",
           "[[2,3],[1,2],[1,2],[0,1]]"},
          {"[sprig.without([1, 2, 3], 2), sprig.compact([0, 1, '', 'a', nil]), sprig.slice([1, 2, 3], 1, 2)]",
           R"([[1,3],[1,"a"],[2]])"},
          {"[sprig.has(2, [1, 2]), sprig.chunk(2, [1, 2, 3]), sprig.until(3), sprig.untilStep(3, 9, 3)]",
           "[true,[[1,2],[3]],[0,1,2],[3,6]]"},
          {"sprig.seq(5) + '|' + sprig.seq(2, -1) + '|' + sprig.seq(0, 2, 6)", R"("1 2 3 4 5|2 1 0 -1|0 2 4 6")"},
          {"sprig.dict('a', 1, 'b')", R"({"a":1,"b":""})"},
          {"sprig.get({a: 1}, 'b')", "\"\""},
          {"[sprig.set({a: 1}, 'b', 2), sprig.unset({a: 1}, 'a'), sprig.hasKey({a: 1}, 'a')]",
           R"([{"a":1,"b":2},{},true])"},
          {"[sprig.pluck('a', {a: 1}, {b: 2}, {a: 3}), sprig.pick({a: 1, b: 2}, 'a'), sprig.omit({a: 1, b: 2}, 'a')]",
           R"([[1,3],{"a":1},{"b":2}])"},
          {"sprig.merge({a: 1, m: {x: 1}}, {a: 2, b: 3, m: {x: 2, y: 3}})", R"({"a":1,"b":3,"m":{"x":1,"y":3}})"},
          {"sprig.mergeOverwrite({a: 1}, {a: 2})", R"({"a":2})"},
          {"sprig.dig('a', 'b', 'none', {a: {b: 1}})", "1"},
          {"sprig.dig('a', 'x', 'none', {a: {b: 1}})", R"("none")"}});
}

TEST(Sprig, NumbersAndValues) {
  expect(
      {{"sprig.add(1, '2', 3) + sprig.sub(5, 2) + sprig.mul(2, 3) + sprig.div(7, 2) + sprig.mod(7, 4) + sprig.add1(1)",
        "23"},
       {"sprig.max(1, 5, 3) + sprig.min(4, 2)", "7"},
       {"sprig.addf(0.1, 0.2) + sprig.mulf(1.5, 2)", "3.3"},
       {"[sprig.ceil(1.1), sprig.floor('1.9'), sprig.round(123.555555, 3)]", "[2,1,123.556]"},
       {"sprig.int('0x1f') + sprig.atoi('x') + sprig.toDecimal('0777') + sprig.int64(2.9)", "544"},
       {"sprig.div(1, 0)", "error division by zero"},
       {"sprig.default('d', '') + sprig.default('d', 'v') + sprig.coalesce(nil, '', 'c')", R"("dvc")"},
       {"[sprig.empty(0), sprig.all(1, ''), sprig.any(0, 'x'), sprig.ternary('y', 'n', true)]",
        R"([true,false,true,"y"])"},
       {"sprig.fromJson('{\"a\": [1]}').a[0] == 1 and sprig.fromJson('{') == nil", "true"},
       {"sprig.toRawJson('<') + sprig.toJson([1])", R"("\"<\"[1]")"},
       {"sprig.kindOf([1]) + sprig.typeOf(1.5)", R"("slicefloat64")"},
       {"sprig.deepEqual([1], [1])", "true"},
       {"sprig.fail('gave up')", "error sprig.fail: gave up"}});
}

TEST(Sprig, DatesPathsAndEncodings) {
  expect(
      {{"sprig.date('2006-01-02', now()) + sprig.htmlDate(0)", R"("2026-03-041970-01-01")"},
       {"sprig.dateInZone('15:04 MST', now(), 'Europe/Zurich')", R"("06:06 CET")"},
       {"sprig.dateModify('-1h', now()).Hour()", "4"},
       {"sprig.toDate('2006-01-02', '2017-12-31').Year()", "2017"},
       {"sprig.duration('95') + sprig.durationRound('2h10m5s') + sprig.unixEpoch(now())", R"("1m35s2h1772600767")"},
       {"sprig.ago(date('2026-03-04T05:06:00Z'))", R"("7s")"},
       {"sprig.base('foo/bar.txt') + sprig.dir('foo/bar') + sprig.ext('a.txt') + sprig.clean('a//b/../c')",
        R"("bar.txtfoo.txta/c")"},
       {"sprig.isAbs('/a')", "true"},
       {"sprig.urlParse('http://u:p@h.org:80/p?q=1#f')",
        R"({"fragment":"f","host":"h.org:80","hostname":"h.org","opaque":"","path":"/p","query":"q=1","scheme":"http","userinfo":"u:p"})"},
       {"sprig.urlJoin({scheme: 'http', host: 'h', path: '/p', query: 'q'})", R"("http://h/p?q")"},
       {"sprig.b64dec(sprig.b64enc('a')) + sprig.b32enc('foob') + sprig.b32dec('MZXW6YQ=')", R"("aMZXW6YQ=foob")"},
       {"sprig.sha1sum('abc')", R"("a9993e364706816aba3e25717850c26c9cd0d89d")"},
       {"sprig.sha256sum('abc')", R"("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")"},
       {"sprig.adler32sum('Wikipedia')", R"("300286872")"},
       {"sprig.decryptAES('secret', sprig.encryptAES('secret', 'text'))", R"("text")"},
       {"sprig.regexMatch('^[a-z]+$', 'abc') and not sprig.regexMatch('(', 'abc')", "true"},
       {"sprig.regexFindAll('[2,4,6]', '123456', -1)", R"(["2","4","6"])"},
       {"sprig.regexFind('[a-z][1-9]', 'abcd1234')", R"("d1")"},
       {"sprig.regexReplaceAll('a(x*)b', '-ab-axxb-', '${1}W') + sprig.regexReplaceAllLiteral('a', 'ba', '$1')",
        R"("-W-xxW-b$1")"},
       {"sprig.regexSplit('z+', 'pizza', -1)", R"(["pi","a"])"},
       {"sprig.regexQuoteMeta('1.2')", R"("1\\.2")"},
       {"sprig.mustRegexMatch('(', 'a')", "error is not a pattern"}});
}

TEST(Sprig, Versions) {
  expect({{"sprig.semver('v1.2.3-beta.1+x').Prerelease", R"("beta.1")"},
          {"sprig.semverCompare('^1.2.0', '1.9.1') and not sprig.semverCompare('^1.2.0', '2.0.0')", "true"},
          {"sprig.semverCompare('~1.2', '1.2.9') and not sprig.semverCompare('~1.2', '1.3.0')", "true"},
          {"sprig.semverCompare('>=1.2, <2 || ~3.1', '3.1.4') and sprig.semverCompare('1.2.x', '1.2.7')", "true"},
          {"sprig.semverCompare('1.2 - 1.4.5', '1.4.5') and not sprig.semverCompare('!=1.0.0', '1.0.0')", "true"},
          {"sprig.semverCompare('>1.0', '1.1.0-alpha') or sprig.semverCompare('^0.2.3', '0.3.0')", "false"},
          {"sprig.semverCompare('>1.0.0-alpha', '1.0.0-beta') and sprig.semverCompare('*', '1.0.0')", "true"},
          {"sprig.semver('a.b')", "error is not a semantic version"}});
}

TEST(Sprig, ChanceComesFromTheScope) {
  expect({{"len(sprig.randAlphaNum(10)) + len(sprig.randNumeric(3)) + len(sprig.shuffle('abc'))", "16"},
          {"sprig.randAlpha(8) matches '^[A-Za-z]{8}$' and sprig.randNumeric(4) matches '^[0-9]{4}$'", "true"},
          {"sprig.uuidv4() matches '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'", "true"},
          {"sprig.randInt(3, 4)", "3"},
          {"sprig.randInt(4, 4)", "error there is no number"}});
  class Nothing : public Scope {
    Result<std::optional<std::string>> find(std::string_view) const override { return std::nullopt; }
  };
  EXPECT_TRUE(value_of("now()", Nothing()).contains("there is no clock here"));
  EXPECT_TRUE(value_of("sprig.uuidv4()", Nothing()).contains("there are no random numbers here"));
}

}  // namespace
}  // namespace kist::expression
