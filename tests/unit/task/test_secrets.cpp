// Secrets: values reach the process that asks for them and nothing that is written down.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "task/mask.hpp"
#include "task/performing.hpp"

namespace kist::task::test {
namespace {

using model::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string in_pieces(const Mask& mask, std::string_view text, std::size_t size) {
  MaskedStream stream;
  std::string out;
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) out += stream.pass(mask, text.substr(0, size));
  return out + stream.finish(mask);
}

TEST(Mask, HidesAValueHoweverItComes) {
  Mask mask;
  mask.add("hunter-two\n");
  mask.add("hunter-two-and-more");
  mask.add("twofold");
  for (std::size_t size : {1, 2, 3, 7, 1000}) {
    EXPECT_EQ(in_pieces(mask, "a hunter-two b", size), "a *** b");
    EXPECT_EQ(in_pieces(mask, "hunter-two-and-more!", size), "***!");
    EXPECT_EQ(in_pieces(mask, "hunter-twofold.", size), "***.");  // they overlap: nothing of either is seen
    EXPECT_EQ(in_pieces(mask, "hunhunter-two-an", size), "hun***-an");
    EXPECT_EQ(in_pieces(mask, "hunter-tw", size), "hunter-tw");
  }
}

TEST(Mask, HidesEachLineOfAValue) {
  Mask mask;
  mask.add("-----BEGIN KEY-----\nabcdef\n\nx\n-----END KEY-----\n");
  EXPECT_EQ(mask.hide("line: abcdef, x"), "line: ***, x");
  EXPECT_EQ(mask.hide("-----BEGIN KEY-----\nabcdef\n\nx\n-----END KEY-----\n"), "***\n");
  Mask none;
  none.add("");
  none.add("ab");
  EXPECT_EQ(none.hide("about"), "about");
}

TEST(Mask, HidesAValueInBase64) {
  Mask mask;
  mask.add("hunter-two\n");
  EXPECT_EQ(mask.hide("a aHVudGVyLXR3bw== b"), "a *** b");
  EXPECT_EQ(mask.hide("aHVudGVyLXR3bwo="), "***");  // as `echo` and base64 write it
  EXPECT_THAT(mask.found_in("aHVudGVyLXR3bw=="), ElementsAre("aHVudGVyLXR3bw==", "hunter-two"));
  EXPECT_THAT(mask.values(), ElementsAre("hunter-two"));
}

class Secrets : public Performing {
 protected:
  void SetUp() override {
    Performing::SetUp();
    heard_.secrets["login"] = {{"user", "somebody"}, {"password", "hunter-two"}};
  }
  static model::EnvironmentVariable variable(std::string name, std::string key, bool optional = false) {
    return {.name = std::move(name),
            .value = {},
            .secret = model::SecretReference{.name = text("login"), .key = text(std::move(key)), .optional = optional}};
  }
};

TEST_F(Secrets, AreVariablesAndAreHidden) {
  model::Container& container = document_.task.containers[0];
  container.environment = {variable("PASSWORD", "password"), variable("NONE", "none", true)};
  container.secret_environment = {{.secret = text("login"), .prefix = "L_", .optional = false},
                                  {.secret = text("unknown"), .prefix = "", .optional = true}};
  document_.task.capture_result = true;
  model::Run run;
  run.command = {text("sh"), text("-c"),
                 text("test $PASSWORD = hunter-two && test $L_user = somebody && test -z \"${NONE+x}\" && echo right; "
                      "printf 'it is hunter'; sleep 0.2; echo -two; echo $(PASSWORD) >&2; exit 4")};
  run.expand_variables = true;
  add(action(run));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.exit_code, 4);
  EXPECT_EQ(heard_.output(), "right\nit is ***\n");
  EXPECT_EQ(heard_.error(), "***\n");
  EXPECT_EQ(outcome.result, "right\nit is ***");
}

TEST_F(Secrets, AreHiddenInWhatKistSays) {
  document_.task.containers[0].environment = {variable("PASSWORD", "password")};
  model::Run run;
  run.command = {text("/no/such/$(PASSWORD)")};
  run.expand_variables = true;
  add(action(run));
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, ElementsAre(HasSubstr("/no/such/***")));
  EXPECT_THAT(heard_.kist(), Not(HasSubstr("hunter")));
}

TEST_F(Secrets, ThatAreMissingAreNamed) {
  document_.task.containers[0].environment = {variable("PASSWORD", "pass")};
  add(shell("true"));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems,
              ElementsAre(HasSubstr("the secret 'login' has no key 'pass': there are password, user")));
}

}  // namespace
}  // namespace kist::task::test
