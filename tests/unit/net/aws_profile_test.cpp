#include "net/aws_profile.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.hpp"

namespace kist::net {
namespace {

struct AwsProfileTest : testing::Test {
  ScratchDirectory home = ScratchDirectory::make(std::filesystem::temp_directory_path(), "kist-aws-").value();
  std::map<std::string, std::string> variables{{"HOME", home.path().string()}};

  void write(const char* name, std::string_view text) {
    std::filesystem::create_directories(home.path() / ".aws");
    ASSERT_TRUE(replace_file(home.path() / ".aws" / name, text));
  }
  Result<AwsProfile> find(const std::optional<std::string>& name = std::nullopt) {
    return find_aws_profile(name, [&](const char* variable) -> const char* {
      const auto found = variables.find(variable);
      return found == variables.end() ? nullptr : found->second.c_str();
    });
  }
};

TEST_F(AwsProfileTest, NothingAnywhereIsNoError) {
  ASSERT_TRUE(find());
  EXPECT_FALSE(find()->credentials);
}

TEST_F(AwsProfileTest, FilesInTheirTwoNotations) {
  write("credentials",
        "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=B=/+\n\n[work]\n"
        "aws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n");
  write("config",
        "[default]\nregion = eu-west-1\ns3 =\n  addressing_style = path\n[profile work]\nregion=us-west-2\n"
        "endpoint_url = https://s3.example\n");
  const auto usual = find().value();
  EXPECT_EQ(usual.credentials->secret_key, "B=/+");
  EXPECT_EQ(usual.region, "eu-west-1");
  EXPECT_EQ(usual.addressing, S3Settings::Addressing::path);
  variables["AWS_PROFILE"] = "work";
  const auto work = find().value();
  EXPECT_EQ(work.credentials->session_token, "E");
  EXPECT_EQ(work.endpoint, "https://s3.example");
  variables["AWS_ACCESS_KEY_ID"] = "ENV";
  variables["AWS_SECRET_ACCESS_KEY"] = "S";
  EXPECT_EQ(find()->credentials->access_key, "ENV");
  EXPECT_EQ(find("work")->credentials->access_key, "C");  // who names a profile means it
}

TEST_F(AwsProfileTest, ErrorsNameTheFileAndNoSecret) {
  write("credentials", "[default]\naws_secret_access_key SECRET\n");
  const auto wrong = find();
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().text, testing::HasSubstr("credentials:2: expected NAME = VALUE"));
  EXPECT_THAT(wrong.error().text, testing::Not(testing::HasSubstr("SECRET")));
  write("credentials", "");
  EXPECT_EQ(find("other").error().kind, ErrorKind::not_found);
  write("config", "[profile role]\nrole_arn = arn:x\n");
  EXPECT_EQ(find("role").error().kind, ErrorKind::unsupported);
}

}  // namespace
}  // namespace kist::net
