// Secrets of a home: only their owner can read them, and nothing is lost when several keys are set.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "catalog/secrets.hpp"

namespace kist::catalog {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class SecretsTest : public testing::Test {
 protected:
  ScratchDirectory directory_ = *ScratchDirectory::make(fs::temp_directory_path(), "kist-secrets-");
  Home home_ = *Home::open(directory_.path() / "home");
  Secrets secrets_{home_};

  static unsigned mode(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777;
  }
};

TEST_F(SecretsTest, ValuesComeBackAsTheyWere) {
  const std::string binary("\0\xff\n x", 5);
  ASSERT_TRUE(secrets_.set("login", "password", binary, Secrets::Only::absent));
  ASSERT_TRUE(secrets_.set("login", ".user", "", Secrets::Only::absent));
  EXPECT_THAT(*secrets_.get("login"), ElementsAre(Pair(".user", ""), Pair("password", binary)));
  ASSERT_TRUE(secrets_.put("another", {{"a", "1"}}));
  auto listed = secrets_.list();
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0].name, "another");
  EXPECT_THAT((*listed)[1].keys, ElementsAre(".user", "password"));
}

TEST_F(SecretsTest, OnlyTheirOwnerReadsThem) {
  const mode_t before = ::umask(0);
  ASSERT_TRUE(secrets_.set("login", "password", "hunter-two", Secrets::Only::any));
  ::umask(before);
  EXPECT_EQ(mode(home_.path() / "secrets"), 0700u);
  EXPECT_EQ(mode(home_.path() / "secrets/login"), 0600u);
}

TEST_F(SecretsTest, TheSaltIsOfThisHomeAlone) {
  const auto salt = secrets_.salt();
  ASSERT_TRUE(salt) << salt.error().text;
  EXPECT_EQ(salt->size(), 32u);
  EXPECT_EQ(*Secrets(home_).salt(), *salt);
  EXPECT_EQ(mode(home_.path() / "secrets/.salt"), 0600u);
  EXPECT_TRUE(secrets_.list()->empty());
  const Home other = *Home::open(directory_.path() / "other");
  EXPECT_NE(*Secrets(other).salt(), *salt);
}

TEST_F(SecretsTest, WhatIsThereIsNotReplacedByMistake) {
  EXPECT_EQ(secrets_.set("login", "a", "1", Secrets::Only::present).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(secrets_.set("login", "a", "1", Secrets::Only::absent));
  EXPECT_EQ(secrets_.set("login", "a", "2", Secrets::Only::absent).error().kind, ErrorKind::conflict);
  EXPECT_EQ(secrets_.set("login", "b", "2", Secrets::Only::present).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(secrets_.set("login", "a", "3", Secrets::Only::present));
  EXPECT_THAT(*secrets_.get("login"), ElementsAre(Pair("a", "3")));
}

TEST_F(SecretsTest, TheLastKeyTakesTheSecretWithIt) {
  ASSERT_TRUE(secrets_.put("login", {{"a", "1"}, {"b", "2"}}));
  EXPECT_THAT(secrets_.remove("login", "c").error().text, HasSubstr("a, b"));
  ASSERT_TRUE(secrets_.remove("login", "a"));
  ASSERT_TRUE(secrets_.remove("login", "b"));
  EXPECT_EQ(secrets_.get("login").error().kind, ErrorKind::not_found);
  EXPECT_EQ(secrets_.remove("login").error().kind, ErrorKind::not_found);
}

TEST_F(SecretsTest, NoNameLeadsElsewhere) {
  for (const char* name : {"", ".", "..", "../store", "a/b", ".lock"})
    EXPECT_EQ(secrets_.put(name, {{"a", "1"}}).error().kind, ErrorKind::invalid) << name;
  EXPECT_EQ(secrets_.put("a", {{"k/../x", "1"}}).error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace kist::catalog
