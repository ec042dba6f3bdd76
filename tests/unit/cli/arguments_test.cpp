#include "cli/arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kist::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Given {
  bool all = false;
  std::optional<std::string> tag;
  std::vector<std::string> parameters;
  std::string run;
  std::optional<std::string> prefix;
  std::vector<std::string> words;
};

Result<int> parse(Given& given, const std::vector<std::string>& words) {
  Arguments arguments("kist try", "Try it");
  arguments.flag("-a,--all", given.all, "All of them");
  arguments.option("-t,--tag", "TAG", given.tag, "A tag");
  arguments.option("-p,--parameter", "NAME=VALUE", given.parameters, "A parameter");
  arguments.positional("RUN|:TAG", given.run, "The run");
  arguments.positional("PREFIX", given.prefix, "Begins so");
  arguments.action([] { return Result<int>(7); });
  return arguments.run(words);
}

Result<int> parse_words(Given& given, const std::vector<std::string>& words) {
  Arguments arguments("kist try", "Try it");
  arguments.flag("-a,--all", given.all, "All of them");
  arguments.option("-t,--tag", "TAG", given.tag, "A tag");
  arguments.option("-p,--parameter", "NAME=VALUE", given.parameters, "A parameter");
  arguments.words("WORKFLOW", given.words, "What to run", Completes::workflow);
  arguments.action([] { return Result<int>(0); });
  return arguments.run(words);
}

TEST(Arguments, OptionsStandBeforeAndBehindPositionals) {
  for (const auto& words : {std::vector<std::string>{"-a", "--tag", "t", "-p", "a=1", "--parameter=b=2", "r", "x"},
                            std::vector<std::string>{"r", "x", "-p", "a=1", "-pb=2", "-tt", "--all"}}) {
    Given given;
    EXPECT_EQ(parse(given, words), 7);
    EXPECT_TRUE(given.all);
    EXPECT_EQ(given.tag, "t");
    EXPECT_EQ(given.run, "r");
    EXPECT_EQ(given.prefix, "x");
    EXPECT_THAT(given.parameters, ElementsAre("a=1", "b=2"));
  }
}

TEST(Arguments, AnOptionThatIsRepeatedTakesOneValueEachTime) {
  Given given;
  ASSERT_TRUE(parse(given, {"-p", "a=1", "r", "-p", "b=[1,2]", "x"}));
  EXPECT_THAT(given.parameters, ElementsAre("a=1", "b=[1,2]"));
  EXPECT_EQ(given.run, "r");
  EXPECT_EQ(given.prefix, "x");
}

TEST(Arguments, WhatFollowsTwoDashesIsNoOption) {
  Given given;
  ASSERT_TRUE(parse(given, {"--", "-r", "--all"}));
  EXPECT_EQ(given.run, "-r");
  EXPECT_EQ(given.prefix, "--all");
  EXPECT_FALSE(given.all);
}

TEST(Arguments, MistakesAreNamed) {
  const auto text = [](const std::vector<std::string>& words) {
    Given given;
    const auto result = parse(given, words);
    EXPECT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::invalid);
    return result.error().text;
  };
  EXPECT_THAT(text({}), HasSubstr("RUN|:TAG is missing"));
  EXPECT_THAT(text({"r", "x", "y"}), HasSubstr("one word too many: 'y'"));
  EXPECT_THAT(text({"r", "--al"}), HasSubstr("unknown option '--al'; did you mean '--all'?"));
  EXPECT_THAT(text({"--frobnicate"}), HasSubstr("unknown option '--frobnicate'"));
  EXPECT_THAT(text({"r", "--tag"}), HasSubstr("--tag"));
  EXPECT_THAT(text({"r", "--tag"}), HasSubstr("kist try --help"));
}

TEST(Arguments, UnknownWordsKeepTheirOrder) {
  Given given;
  ASSERT_TRUE(parse_words(given, {"-t", "x", "train", "--lr", "0.1", "-p", "a=1", "-n", "-5", "data"}));
  EXPECT_THAT(given.words, ElementsAre("train", "--lr", "0.1", "-n", "-5", "data"));
  EXPECT_EQ(given.tag, "x");
  EXPECT_THAT(given.parameters, ElementsAre("a=1"));
}

TEST(Arguments, TwoDashesHandEverythingOn) {
  Given given;
  ASSERT_TRUE(parse_words(given, {"train", "-a", "--", "-t", "x", "--help", "--", "y"}));
  EXPECT_THAT(given.words, ElementsAre("train", "-t", "x", "--help", "--", "y"));
  EXPECT_TRUE(given.all);
  EXPECT_FALSE(given.tag);
}

TEST(Arguments, AnyNumberOfPositionals) {
  const auto parse_files = [](const std::vector<std::string>& words,
                              bool required) -> Result<std::vector<std::string>> {
    std::vector<std::string> files;
    bool json = false;
    Arguments arguments("kist lint", "Check");
    arguments.flag("--json", json, "Print JSON");
    arguments.positionals("FILE", files, required, "Files");
    arguments.action([] { return Result<int>(0); });
    KIST_TRY(arguments.run(words));
    return files;
  };
  EXPECT_THAT(*parse_files({"a", "--json", "[b,c]", "--", "--json"}, true), ElementsAre("a", "[b,c]", "--json"));
  EXPECT_THAT(*parse_files({}, false), testing::IsEmpty());
  EXPECT_THAT(parse_files({"--json"}, true).error().text, HasSubstr("FILE is missing"));
  EXPECT_THAT(parse_files({"a", "--jsn"}, true).error().text, HasSubstr("did you mean '--json'?"));
}

TEST(Arguments, AFlagMayStandBeforeTheCommandItBelongsTo) {
  bool yes = false;
  std::string tag;
  int called = 0;
  Arguments arguments("kist tags", "Tags");
  arguments.action([&] { return Result<int>(called = 1); });
  Arguments& remove = arguments.command("delete", "Delete");
  remove.flag("-y,--yes", yes, "Do not ask");
  remove.positional("TAG", tag, "The tag");
  remove.action([&] { return Result<int>(called = 2); });

  ASSERT_TRUE(arguments.run({"-y", "delete", "x"}));
  EXPECT_EQ(called, 2);
  EXPECT_TRUE(yes);
  EXPECT_EQ(tag, "x");
  ASSERT_TRUE(arguments.run({}));
  EXPECT_EQ(called, 1);
  const auto wrong = arguments.run({"delte", "x"});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().text, HasSubstr("did you mean 'delete'?"));
}

TEST(Arguments, HelpShowsEveryArgumentButThoseWithoutHelp) {
  bool hidden = false;
  Given given;
  Arguments arguments("kist try", "Try it");
  arguments.option("-t,--tag", "TAG", given.tag, "A tag");
  arguments.flag("--secret", hidden, "");
  arguments.positional("RUN", given.run, "The run");
  arguments.positional("PREFIX", given.prefix, "Begins so");
  const auto help = arguments.help();
  EXPECT_THAT(help, HasSubstr("Usage: kist try [OPTIONS] RUN [PREFIX]\n"));
  EXPECT_THAT(help, HasSubstr("-t, --tag TAG"));
  EXPECT_THAT(help, testing::Not(HasSubstr("secret")));
}

TEST(Completions, KnowWhatStandsAtTheCursor) {
  Given given;
  Arguments arguments("kist try", "Try it");
  arguments.flag("-a,--all", given.all, "All of them");
  arguments.option("-t,--tag", "TAG", given.tag, "A tag", Completes::tag);
  arguments.positional("RUN", given.run, "The run", Completes::run);
  arguments.positional("PREFIX", given.prefix, "Begins so", Completes::artifact);

  EXPECT_EQ(arguments.expected({""}).completes, Completes::run);
  EXPECT_EQ(arguments.expected({"-a", "gr"}).completes, Completes::run);
  EXPECT_EQ(arguments.expected({"-t", ""}).completes, Completes::tag);
  EXPECT_EQ(arguments.expected({"--tag=x"}).completes, Completes::tag);
  EXPECT_EQ(arguments.expected({"--tag=x"}).prefix, "--tag=");
  const auto second = arguments.expected({"-t", "x", "run", ""});
  EXPECT_EQ(second.completes, Completes::artifact);
  EXPECT_THAT(second.positionals, ElementsAre("run"));
  EXPECT_EQ(arguments.expected({"run", "x", ""}).completes, Completes::nothing);
  EXPECT_EQ(arguments.expected({"--"}).options.size(), 3U);
  EXPECT_EQ(arguments.expected({"--", "-"}).completes, Completes::run);
}

TEST(Completions, DescendIntoCommands) {
  std::string tag;
  Arguments arguments("kist tags", "Tags");
  arguments.command("delete", "Delete").positional("TAG", tag, "The tag", Completes::tag);
  arguments.command("list", "List");
  EXPECT_EQ(arguments.expected({""}).commands.size(), 2U);
  EXPECT_EQ(arguments.expected({"delete", ""}).completes, Completes::tag);
}

TEST(Nearest, IsNearOrNothing) {
  EXPECT_EQ(nearest("rnu", {"run", "rm", "ps"}), "run");
  EXPECT_EQ(nearest("artifact", {"artifacts", "cat"}), "artifacts");
  EXPECT_EQ(nearest("frobnicate", {"run", "rm", "ps"}), std::nullopt);
}

}  // namespace
}  // namespace kist::cli
