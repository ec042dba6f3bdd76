// A store, directories, secrets, and locations in few words.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "location/location.hpp"
#include "store/fixture.hpp"

namespace kist::location {

namespace fs = std::filesystem;

using store::contents;
using store::noise;
using store::picture;
using store::write;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr model::Archive kNone{.kind = model::Archive::Kind::none, .compression_level = {}};
constexpr model::Archive kTar{.kind = model::Archive::Kind::tar, .compression_level = {}};
constexpr model::Archive kZip{.kind = model::Archive::Kind::zip, .compression_level = {}};

class LocationTest : public store::StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    for (const char* name : {"scratch", "targets"}) fs::create_directory(path(name));
    context.scratch = path("scratch");
    context.cache = path("cache");
    context.connect_timeout = std::chrono::milliseconds(2000);
    context.idle_timeout = std::chrono::seconds(1);
    context.retry.first = std::chrono::milliseconds(1);
    context.retry.longest = std::chrono::milliseconds(4);
    context.retry.total = std::chrono::milliseconds(3000);
    context.retry.unreached = 2;
    context.secret = [this](std::string_view name, std::string_view key) -> Result<std::string> {
      const auto found = secrets.find(fmt::format("{}/{}", name, key));
      if (found == secrets.end()) return fail(ErrorKind::not_found, fmt::format("there is no secret '{}'", name));
      return found->second;
    };
    context.notice = [this](const std::string& notice) { notices.push_back(notice); };
  }

  // A value "secret:NAME/KEY" is a reference.
  static model::Location place(std::string kind, const std::vector<std::pair<std::string, std::string>>& fields) {
    model::Location location{.kind = std::move(kind), .fields = {}};
    for (const auto& [name, value] : fields) {
      if (!value.starts_with("secret:")) {
        location.set(name, model::Text::literal(value));
        continue;
      }
      const auto slash = value.find('/');
      location.fields.push_back({name, model::SecretReference{.name = model::Text::literal(value.substr(7, slash - 7)),
                                                              .key = model::Text::literal(value.substr(slash + 1))}});
    }
    return location;
  }

  Artifact artifact(const fs::path& source, std::string name = "top") {
    return {*store_, save(source).id, std::move(name)};
  }
  fs::path target(std::string_view name) const { return path("targets") / name; }

  // Files, modes, an empty directory, a link, names that have to be encoded, more than a part.
  fs::path make_directory() {
    const fs::path top = path("work") / "made";
    fs::create_directories(top / "inner/deep");
    fs::create_directories(top / "empty/too");
    write(top / "file.json", "{}\n");
    write(top / "inner/deep/a b+c%d&é.txt", "strange name\n");
    write(top / "inner.txt", "between inner and what is in it\n");
    write(top / "nothing", "");
    write(top / "run.sh", "#!/bin/sh\n");
    write(top / "large", noise(20 << 20, 1));
    fs::permissions(top / "run.sh", fs::perms(0755));
    for (const char* name : {"file.json", "inner/deep/a b+c%d&é.txt", "inner.txt", "nothing", "large"})
      fs::permissions(top / name, fs::perms(0644));
    fs::permissions(top / "empty/too", fs::perms(0700));
    for (const char* name : {"", "inner", "inner/deep", "empty"}) fs::permissions(top / name, fs::perms(0755));
    fs::create_symlink("../run.sh", top / "inner/link");
    return top;
  }

  std::map<std::string, std::string> secrets;
  std::vector<std::string> notices;
  Context context;
};

#define EXPECT_FAILS(expression, expected_kind, words)                                            \
  do {                                                                                            \
    auto&& failing = (expression);                                                                \
    ASSERT_FALSE(failing);                                                                        \
    EXPECT_EQ(to_string(failing.error().kind), to_string(expected_kind)) << failing.error().text; \
    EXPECT_THAT(failing.error().text, HasSubstr(words));                                          \
  } while (false)

}  // namespace kist::location
