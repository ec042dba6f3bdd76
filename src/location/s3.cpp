// Amazon S3 and its like, by net::S3Client; and Alibaba's OSS, which speaks it too.
#include "net/s3.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/base64.hpp"
#include "location/address.hpp"
#include "location/bucket.hpp"
#include "location/cancelling.hpp"
#include "location/fields.hpp"
#include "location/part_upload.hpp"
#include "net/aws_profile.hpp"
#include "net/md5.hpp"
#include "net/url.hpp"

namespace kist::location {
namespace {

constexpr std::string_view kS3Metadata = "x-amz-meta-";

struct Options {
  net::HttpHeaders encryption;  // sent where an object is made
  bool create_bucket = false;
  bool object_locking = false;
};

class S3Parts final : public Parts {
 public:
  S3Parts(net::S3Client& client, std::string key, net::HttpHeaders headers, net::Moved moved, Cancelling cancelling)
      : client_(client),
        key_(std::move(key)),
        headers_(std::move(headers)),
        moved_(std::move(moved)),
        cancelling_(std::move(cancelling)) {}

  Status whole(std::span<const std::byte> bytes) override {
    KIST_TRY(client_.put(key_, {.bytes = bytes}, {.condition = {}, .headers = headers_, .moved = moved_}));
    return {};
  }
  Status begin() override {
    KIST_TRY_ASSIGN(upload_, client_.create_upload(key_, headers_));
    return {};
  }
  Status part(unsigned number, std::span<const std::byte> bytes) override {
    KIST_TRY_ASSIGN(auto sent, client_.put_part(upload_, number, {.bytes = bytes}, moved_));
    std::lock_guard lock(mutex_);
    parts_.push_back(std::move(sent));
    return {};
  }
  Status complete(unsigned) override {
    std::ranges::sort(parts_, {}, &net::S3Part::number);
    KIST_TRY(client_.complete_upload(upload_, parts_));
    return {};
  }
  void abort() override {
    cancelling_.take_back();
    (void)client_.abort_upload(upload_);
  }

 private:
  net::S3Client& client_;
  std::string key_;
  net::HttpHeaders headers_;
  net::Moved moved_;
  const Cancelling cancelling_;
  net::S3Upload upload_;
  std::mutex mutex_;
  std::vector<net::S3Part> parts_;
};

class S3Bucket final : public Bucket {
 public:
  S3Bucket(std::unique_ptr<net::S3Client> client, Options options, Cancelling cancelling, const Context& context)
      : client_(std::move(client)),
        options_(std::move(options)),
        cancelling_(std::move(cancelling)),
        context_(context) {}

  std::string address(std::string_view key) const override { return client_->address(key); }

  Status prepare() override {
    if (!options_.create_bucket) return {};
    auto there = client_->check_bucket();
    if (there || there.error().kind != ErrorKind::invalid) return there;
    net::HttpHeaders headers;
    if (options_.object_locking) headers.emplace_back("x-amz-bucket-object-lock-enabled", "true");
    return client_->create_bucket(headers);
  }

  // The ETag of an object that was put whole is its MD5, with servers that do as Amazon does. Where it is not, the
  // object is read once more: what comes the same twice was not damaged on its way.
  Status get(std::string_view key, const std::function<Status(const Attributes&)>& begins,
             const net::Sink& sink) override {
    net::Md5 md5;
    auto takes = [&](std::span<const std::byte> bytes) {
      md5.update(bytes);
      return sink(bytes);
    };
    auto told = [&](const net::S3Object& object) { return begins(attributes_of_object(object)); };
    KIST_TRY_ASSIGN(const auto object, client_->get(key, takes, 0, UINT64_MAX, context_.moved, told));
    const std::string arrived = md5.hex();
    if (!may_be_md5(object) || object.etag == arrived) return {};
    net::Md5 again;
    KIST_TRY(client_->get(key, [&](std::span<const std::byte> bytes) {
      again.update(bytes);
      return Status();
    }));
    if (again.hex() == arrived) return {};
    return fail(ErrorKind::corrupt,
                fmt::format("what arrived of {} is not what the server says it has (its ETag is {})", address(key),
                            object.etag));
  }

  Status put(std::string_view key, const net::Body& body, const Attributes& attributes) override {
    KIST_TRY(client_->put(key, body, {.condition = {}, .headers = headers_for(attributes), .moved = context_.moved}));
    return {};
  }

  Result<std::unique_ptr<Upload>> upload(std::string_view key, const Attributes& attributes, std::uint64_t at_most,
                                         unsigned parallel) override {
    return std::make_unique<PartUpload>(
        std::make_unique<S3Parts>(*client_, std::string(key), headers_for(attributes), context_.moved, cancelling_),
        part_size_for(at_most), parallel);
  }

  Status list(std::string_view prefix,
              const std::function<Result<bool>(const std::vector<std::string>& keys)>& page) override {
    std::string continuation;
    do {
      KIST_TRY_ASSIGN(auto listing, client_->list(prefix, {}, continuation));
      std::vector<std::string> keys;
      for (net::S3Object& object : listing.objects)
        if (object.key.starts_with(prefix)) keys.push_back(std::move(object.key));
      KIST_TRY_ASSIGN(const bool more, page(keys));
      if (!more) return {};
      if (listing.continuation == continuation && !continuation.empty())
        return fail(ErrorKind::unavailable, fmt::format("the listing of {} does not come to an end", address(prefix)));
      continuation = std::move(listing.continuation);
    } while (!continuation.empty());
    return {};
  }

  // One by one where there are few: not every server knows how to remove several.
  Status remove(const std::vector<std::string>& keys) override {
    if (keys.size() > 1) {
      auto removed = client_->remove(std::span(keys));
      if (removed || removed.error().kind != ErrorKind::unsupported) return removed;
    }
    for (const std::string& key : keys) KIST_TRY(client_->remove(key));
    return {};
  }

 private:
  net::HttpHeaders headers_for(const Attributes& attributes) const {
    net::HttpHeaders headers = options_.encryption;
    if (!attributes.content_type.empty()) headers.emplace_back("content-type", attributes.content_type);
    for (const auto& [name, value] : attributes.metadata) headers.emplace_back(std::string(kS3Metadata) + name, value);
    return headers;
  }

  static Attributes attributes_of_object(const net::S3Object& object) {
    Attributes attributes;
    for (const auto& [name, value] : object.headers) {
      if (name == "content-type") attributes.content_type = value;
      if (name.starts_with(kS3Metadata)) attributes.metadata.emplace_back(name.substr(kS3Metadata.size()), value);
    }
    return attributes;
  }

  static bool may_be_md5(const net::S3Object& object) {
    const bool is_digest =
        object.etag.size() == 32 && object.etag.find_first_not_of("0123456789abcdef") == std::string::npos;
    return is_digest && std::ranges::none_of(object.headers, [](const auto& header) {
             return header.first.starts_with("x-amz-server-side-encryption") || header.first == "content-encoding";
           });
  }

  std::unique_ptr<net::S3Client> client_;
  const Options options_;
  const Cancelling cancelling_;
  const Context& context_;
};

// "minio:9000", "s3.amazonaws.com" or a whole address.
Result<std::string> endpoint_address(const std::string& endpoint, bool insecure, const Context& context) {
  std::string authority = endpoint.empty() ? "s3.amazonaws.com" : endpoint;
  std::string scheme = insecure ? "http" : "https";
  if (const auto at = authority.find("://"); at != std::string::npos) {
    scheme = authority.substr(0, at);
    authority = authority.substr(at + 3);
  }
  while (authority.ends_with('/')) authority.pop_back();
  if (auto instead = mapped(context.endpoints, authority)) return *instead;
  // Amazon's own goes by the region, which the client may have to learn.
  if (authority == "s3.amazonaws.com" && scheme == "https") return std::string();
  return scheme + "://" + authority;
}

Result<net::HttpHeaders> encryption_headers(const Fields& fields, net::S3Settings& settings) {
  net::HttpHeaders headers;
  KIST_TRY_ASSIGN(const bool wanted, fields.flag("encryptionOptions.enableEncryption"));
  KIST_TRY_ASSIGN(const auto customer_key, fields.secret("encryptionOptions.serverSideCustomerKeySecret"));
  const std::string kms_key = fields.text("encryptionOptions.kmsKeyId");
  const std::string kms_context = fields.text("encryptionOptions.kmsEncryptionContext");
  if (customer_key && !kms_key.empty())
    return fail(ErrorKind::invalid,
                "s3: encryptionOptions has both 'kmsKeyId' and 'serverSideCustomerKeySecret': one of them");
  if (customer_key) {
    if (customer_key->size() != 32)
      return fail(ErrorKind::invalid,
                  fmt::format("s3: encryptionOptions.serverSideCustomerKeySecret has {} bytes, expected 32",
                              customer_key->size()));
    settings.object_headers = {{"x-amz-server-side-encryption-customer-algorithm", "AES256"},
                               {"x-amz-server-side-encryption-customer-key", to_base64(*customer_key)},
                               {"x-amz-server-side-encryption-customer-key-md5", net::md5_base64(*customer_key)}};
  } else if (!kms_key.empty()) {
    headers = {{"x-amz-server-side-encryption", "aws:kms"}, {"x-amz-server-side-encryption-aws-kms-key-id", kms_key}};
    if (!kms_context.empty()) headers.emplace_back("x-amz-server-side-encryption-context", to_base64(kms_context));
  } else if (wanted) {
    headers = {{"x-amz-server-side-encryption", "AES256"}};
  }
  return headers;
}

// Names of the fields that S3 and OSS call otherwise.
struct Names {
  std::string_view session_token;
};

MadeDriver make(const model::Location& location, const Context& context, const Names& names) {
  const Fields fields(location, context);
  net::S3Settings settings;
  KIST_TRY_ASSIGN(settings.bucket, fields.required("bucket"));
  if (location.text("key") == nullptr)
    return fail(ErrorKind::invalid, fmt::format("{}: 'key' is missing", location.kind));
  if (!fields.text("roleARN").empty())
    return fail(
        ErrorKind::unsupported,
        "s3: kist does not take on a role by 'roleARN': give it keys, or temporary ones with sessionTokenSecret");
  KIST_TRY_ASSIGN(const bool insecure, fields.flag("insecure"));
  KIST_TRY_ASSIGN(settings.endpoint, endpoint_address(fields.text("endpoint"), insecure, context));
  settings.region = fields.text("region");
  KIST_TRY_ASSIGN(auto access_key, fields.secret("accessKeySecret"));
  KIST_TRY_ASSIGN(auto secret_key, fields.secret("secretKeySecret"));
  KIST_TRY_ASSIGN(auto token, fields.secret(names.session_token));
  if (access_key.has_value() != secret_key.has_value())
    return fail(ErrorKind::invalid,
                fmt::format("{}: of 'accessKeySecret' and 'secretKeySecret' one is missing", location.kind));
  std::string ca_file;
  if (access_key) {
    settings.credentials =
        net::AwsCredentials{.access_key = *access_key, .secret_key = *secret_key, .session_token = token.value_or("")};
  } else {
    KIST_TRY_ASSIGN(auto profile, net::find_aws_profile());
    settings.credentials = std::move(profile.credentials);
    if (settings.region.empty()) settings.region = std::move(profile.region);
    ca_file = std::move(profile.ca_file);
  }
  const std::string style = fields.text("addressingStyle");
  if (style == "path")
    settings.addressing = net::S3Settings::Addressing::path;
  else if (style == "virtual-hosted" || style == "virtual")
    settings.addressing = net::S3Settings::Addressing::virtual_host;
  else if (!style.empty() && style != "auto")
    return fail(ErrorKind::invalid,
                fmt::format("{}: 'addressingStyle' is '{}', expected path or virtual-hosted", location.kind, style));
  KIST_TRY_ASSIGN(auto ca, fields.secret("caSecret"));
  const Cancelling cancelling(context.cancelled);
  settings.http = {.ca_file = std::move(ca_file),
                   .connect_timeout = context.connect_timeout,
                   .idle_timeout = context.idle_timeout,
                   .ca = ca.value_or(""),
                   .cancelled = cancelling};
  settings.retry = context.retry;
  settings.retry.cancelled = cancelling;
  Options options;
  KIST_TRY_ASSIGN(options.encryption, encryption_headers(fields, settings));
  KIST_TRY_ASSIGN(options.object_locking, fields.flag("createBucketIfNotPresent.objectLocking"));
  KIST_TRY_ASSIGN(options.create_bucket, fields.flag("createBucketIfNotPresent"));
  options.create_bucket = options.create_bucket || location.text("createBucketIfNotPresent.objectLocking") != nullptr;
  KIST_TRY_ASSIGN(auto client, net::S3Client::make(std::move(settings)));
  return at_key(std::make_unique<S3Bucket>(std::move(client), std::move(options), cancelling, context),
                fields.text("key"), context);
}

}  // namespace

MadeDriver make_s3(const model::Location& location, const Context& context) {
  return make(location, context, {.session_token = "sessionTokenSecret"});
}

MadeDriver make_oss(const model::Location& location, const Context& context) {
  for (const model::LocationField& field : location.fields)
    if (field.name.starts_with("lifecycleRule"))
      return fail(ErrorKind::unsupported, "oss: kist does not set rules of a bucket ('lifecycleRule')");
  return make(location, context, {.session_token = "securityToken"});
}

}  // namespace kist::location
