// Addresses, types, fields and signatures, by themselves.
#include "base/base64.hpp"
#include "base/process.hpp"
#include "location/address.hpp"
#include "location/content_type.hpp"
#include "location/crypto.hpp"
#include "location/fields.hpp"
#include "location/fixture.hpp"
#include "location/part_upload.hpp"
#include "net/md5.hpp"
#include "net/url.hpp"

namespace kist::location {
namespace {

std::string url(std::string_view text) {
  auto address = parse_web_address(text);
  return address ? address->url() : std::string(to_string(address.error().kind));
}

TEST(WebAddress, is_what_is_asked_for_without_what_nobody_may_see) {
  EXPECT_EQ(url("HTTPS://Example.com"), "https://example.com/");
  EXPECT_EQ(url("http://h:8080/a b/é?x=y z#part"), "http://h:8080/a%20b/%C3%A9?x=y%20z");
  EXPECT_EQ(url("http://[::1]:80?q"), "http://[::1]:80/?q");
  for (const char* wrong : {"ftp://h/", "http://", "//h", "http:///x", "http://h/\n", "http://a:99999/", "h/x"})
    EXPECT_EQ(url(wrong), "invalid") << wrong;
  const auto address = parse_web_address("https://us%40er:p%3Aw@host/path?token=secret").value();
  EXPECT_EQ(address.user, "us@er");
  EXPECT_EQ(address.password, "p:w");
  EXPECT_EQ(address.shown(), "https://host/path");
  EXPECT_EQ(address.url(), "https://host/path?token=secret");
}

TEST_F(LocationTest, errors_repeat_no_password) {
  for (const char* address :
       {"ftp://user:hidden@host/path?hidden", "https://user:hidden%2@host/", "https://u:hidden@"}) {
    auto parsed = parse_web_address(address);
    ASSERT_FALSE(parsed) << address;
    EXPECT_THAT(parsed.error().text, Not(HasSubstr("hidden")));
    auto url = net::parse_url(std::string(address) + "?");
    ASSERT_FALSE(url);
    EXPECT_THAT(url.error().text, Not(HasSubstr("hidden")));
  }
  EXPECT_EQ(model::to_string(place("http", {{"url", "https://u:hidden@host/a@b?hidden"}})), "https://host/a@b");
  EXPECT_EQ(model::to_string(place("git", {{"repo", "git@host:a/b"}})), "git@host:a/b");
}

TEST(WebAddress, redirects_lead_somewhere) {
  const auto base = parse_web_address("https://host:1/a/b?q").value();
  auto leads = [&](std::string_view reference) { return follow_reference(base, reference).value().url(); };
  EXPECT_EQ(leads("http://other/x"), "http://other/x");
  EXPECT_EQ(leads("//other/x"), "https://other/x");
  EXPECT_EQ(leads("/x"), "https://host:1/x");
  EXPECT_EQ(leads("x?to=http://y"), "https://host:1/a/x?to=http://y");
  EXPECT_EQ(leads("?z"), "https://host:1/a/b?z");
}

TEST(Endpoints, the_longest_that_fits_counts) {
  const Endpoints endpoints{
      {"*.amazonaws.com", "http://a/"}, {"s3.amazonaws.com", "http://b"}, {"minio:9000", "http://c"}};
  EXPECT_EQ(mapped(endpoints, "S3.amazonaws.com"), "http://b");
  EXPECT_EQ(mapped(endpoints, "s3.eu-west-1.amazonaws.com:443"), "http://a");
  EXPECT_EQ(mapped(endpoints, "minio:9000"), "http://c");
  EXPECT_EQ(mapped(endpoints, "minio:9001"), std::nullopt);
}

TEST(ContentType, goes_by_the_ending) {
  EXPECT_EQ(content_type_of("s3://b/a.b/c.JSON"), "application/json");
  EXPECT_EQ(content_type_of("https://h/x.tgz?y=z.png"), "application/gzip");
  EXPECT_EQ(content_type_of("a.json/b"), "application/octet-stream");
}

TEST(Parts, are_never_too_many) {
  EXPECT_EQ(part_size_for(0), 8U << 20);
  for (const std::uint64_t size : {100ULL << 30, 5ULL << 40}) EXPECT_LE(size / part_size_for(size), 10'000U);
}

TEST(Crypto, signs_as_others_verify) {
  EXPECT_EQ(to_base64(hmac_sha256("key", "The quick brown fox jumps over the lazy dog")),
            "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=");
  EXPECT_EQ(net::md5_base64("abc"), "kAFQmDzST7DWlj99KOF/cg==");
  EXPECT_EQ(net::md5_hex(net::text_body("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_FALSE(sign_rs256("no key", "text"));

  const auto scratch = ScratchDirectory::make(fs::temp_directory_path(), "kist-crypto-").value();
  auto shell = [&](const std::string& script) {
    auto done = run_process({.arguments = {"bash", "-ec", script},
                             .environment = std::nullopt,
                             .directory = scratch.path(),
                             .input = {},
                             .timeout = std::nullopt});
    return done ? done->exit_code : -1;
  };
  ASSERT_EQ(shell("openssl genrsa -out key.pem 2048 && openssl rsa -in key.pem -pubout -out public.pem"), 0);
  const auto signature = sign_rs256(contents(scratch.path() / "key.pem"), "signed text");
  ASSERT_TRUE(signature) << signature.error().text;
  write(scratch.path() / "signature", *signature);
  write(scratch.path() / "text", "signed text");
  EXPECT_EQ(shell("openssl dgst -sha256 -verify public.pem -signature signature text"), 0);
}

using FieldsTest = LocationTest;

TEST_F(FieldsTest, say_what_is_wrong_with_them) {
  const auto location = place("s3", {{"insecure", "yes"}, {"accessKeySecret", "secret:nobody/knows"}});
  EXPECT_FAILS(kist::location::load(location, {}, target("x"), context), ErrorKind::invalid, "'bucket' is missing");
  EXPECT_FAILS(Fields(location, context).flag("insecure"), ErrorKind::invalid, "expected true or false");
  EXPECT_FAILS(Fields(location, context).secret("accessKeySecret"), ErrorKind::denied, "nobody");
  EXPECT_FAILS(kist::location::load(place("ftp", {}), {}, target("x"), context), ErrorKind::unsupported, "ftp");
}

TEST_F(FieldsTest, a_folder_of_this_machine_comes_and_goes_as_it_is) {
  const fs::path source = make_directory();
  const auto here = place("file", {{"path", source.string()}});
  ASSERT_OK(kist::location::load(here, {}, target("copy"), context));
  EXPECT_EQ(picture(target("copy")), picture(source));
  const Artifact made = artifact(source);
  const auto there = place("file", {{"path", (path("work") / "new/place").string()}});
  ASSERT_OK(kist::location::save(there, kNone, made, context));
  EXPECT_EQ(picture(path("work") / "new/place"), picture(source));
  write(path("work") / "new/place/inner/other", "stays");
  ASSERT_OK(kist::location::remove(there, kNone, made, context));
  fs::create_symlink("round", path("work") / "new/place/inner/round");  // leads to itself
  EXPECT_THAT(list(there, context).value(),
              ElementsAre(HasSubstr("new/place/inner/other"), HasSubstr("new/place/inner/round")));
  EXPECT_FAILS(kist::location::load(place("file", {{"path", "/does/not/exist"}}), {}, target("x"), context),
               ErrorKind::not_found, "/does/not/exist");
  EXPECT_FAILS(kist::location::load(place("file", {{"path", "relative"}}), {}, target("x"), context),
               ErrorKind::invalid, "absolute");
}

}  // namespace
}  // namespace kist::location
