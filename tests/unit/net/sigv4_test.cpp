// The vectors are AWS's: those of the signature's test suite, and the examples of S3's documentation.
#include "net/sigv4.hpp"

#include <gtest/gtest.h>

#include "base/digest.hpp"

namespace kist::net {
namespace {

constexpr std::string_view kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const AwsCredentials kSuite{
    .access_key = "AKIDEXAMPLE", .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", .session_token = {}};
const AwsCredentials kS3{.access_key = "AKIAIOSFODNN7EXAMPLE",
                         .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                         .session_token = {}};

std::string signature(const AwsRequest& request, const AwsCredentials& credentials, std::string_view time,
                      std::string_view service) {
  const std::string text = aws_authorization(request, credentials, *parse_rfc3339(time), "us-east-1", service);
  return text.substr(text.find("Signature=") + 10);
}

std::string suite(AwsRequest request) {
  request.headers.emplace_back("Host", "example.amazonaws.com");
  request.headers.emplace_back("X-Amz-Date", "20150830T123600Z");
  if (request.payload_hash.empty()) request.payload_hash = kEmptyHash;
  return signature(request, kSuite, "2015-08-30T12:36:00Z", "service");
}

std::string s3(AwsRequest request) {
  request.headers.emplace_back("Host", "examplebucket.s3.amazonaws.com");
  request.headers.emplace_back("x-amz-date", "20130524T000000Z");
  request.headers.emplace_back("x-amz-content-sha256", request.payload_hash);
  return signature(request, kS3, "2013-05-24T00:00:00Z", "s3");
}

TEST(SigV4, SuiteVanilla) {
  EXPECT_EQ(suite({.method = "GET", .path = "/"}), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(suite({.method = "POST", .path = "/"}), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

TEST(SigV4, SuiteQueries) {
  EXPECT_EQ(suite({.method = "GET", .path = "/", .query = {{"Param2", "value2"}, {"Param1", "value1"}}}),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  EXPECT_EQ(suite({.method = "GET", .path = "/", .query = {{"\u1234", "bar"}}}),
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04");
}

TEST(SigV4, SuiteHeaders) {
  EXPECT_EQ(suite({.method = "POST", .path = "/", .query = {}, .headers = {{"My-Header1", "VALUE1"}}}),
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d");
  EXPECT_EQ(suite({.method = "GET",
                   .path = "/",
                   .query = {},
                   .headers = {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}}),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

TEST(SigV4, GetOfS3WithARange) {
  EXPECT_EQ(s3({.method = "GET",
                .path = "/test.txt",
                .query = {},
                .headers = {{"Range", "bytes=0-9"}},
                .payload_hash = kEmptyHash}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, PutOfS3) {
  const std::string hash = sha256("Welcome to Amazon S3.").hex();
  EXPECT_EQ(s3({.method = "PUT",
                .path = "/test%24file.text",
                .query = {},
                .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                .payload_hash = hash}),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, ListOfS3) {
  EXPECT_EQ(s3({.method = "GET",
                .path = "/",
                .query = {{"prefix", "J"}, {"max-keys", "2"}},
                .headers = {},
                .payload_hash = kEmptyHash}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  EXPECT_EQ(s3({.method = "GET", .path = "/", .query = {{"lifecycle", ""}}, .headers = {}, .payload_hash = kEmptyHash}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

}  // namespace
}  // namespace kist::net
