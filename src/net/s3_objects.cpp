#include "net/s3_objects.hpp"

#include <random>

#include <fmt/format.h>

#include "net/aws_profile.hpp"

namespace kist::net {
namespace {

class S3Objects final : public ObjectStore {
 public:
  S3Objects(std::unique_ptr<S3Client> client, std::string_view prefix)
      : client_(std::move(client)),
        prefix_(prefix.empty() ? "" : std::string(prefix) + "/"),
        address_(client_->address(prefix)) {}

  const std::string& address() const override { return address_; }

  // Each step is a put that must be refused. A server that ignores conditions would let all of them pass.
  Result<bool> obeys_conditions() override {
    std::lock_guard lock(mutex_);
    if (obeys_) return *obeys_;
    std::random_device random;
    const std::string name = fmt::format("condition-probe-{:08x}{:08x}", random(), random());
    const Body body = text_body("kist looks whether this server obeys conditions\n");
    KIST_TRY(put(name, body, {}, {}));
    auto refuses = [&](const PutCondition& condition) -> Result<bool> {
      auto stored = put(name, body, condition, {});
      if (stored) return false;
      if (stored.error().kind == ErrorKind::conflict) return true;
      if (stored.error().kind == ErrorKind::unsupported || stored.error().kind == ErrorKind::invalid) return false;
      return std::unexpected(std::move(stored).error());
    };
    auto obeys = refuses({.kind = PutCondition::Kind::absent, .version = {}});
    if (obeys && *obeys)
      obeys = refuses({.kind = PutCondition::Kind::matches, .version = "0123456789abcdef0123456789abcdef"});
    const auto removed = remove(name);
    if (!obeys) return std::unexpected(std::move(obeys).error());
    KIST_TRY(removed);
    obeys_ = *obeys;
    return *obeys_;
  }

  Result<std::string> put(std::string_view name, const Body& body, const PutCondition& condition,
                          const Moved& moved) override {
    S3PutOptions options{.condition = {}, .headers = {}, .moved = moved};
    if (condition.kind == PutCondition::Kind::absent) options.condition.kind = S3Condition::Kind::absent;
    if (condition.kind == PutCondition::Kind::matches)
      options.condition = {.kind = S3Condition::Kind::matches, .etag = condition.version};
    KIST_TRY_ASSIGN(auto object, client_->put(key(name), body, options));
    return std::move(object.etag);
  }

  Result<ObjectInfo> get(std::string_view name, const Sink& sink, std::uint64_t offset, std::uint64_t length) override {
    KIST_TRY_ASSIGN(auto object, client_->get(key(name), sink, offset, length));
    return info(std::move(object));
  }

  Result<ObjectInfo> head(std::string_view name) override {
    KIST_TRY_ASSIGN(auto object, client_->head(key(name)));
    return info(std::move(object));
  }

  Status list(std::string_view prefix, const std::function<bool(const ObjectInfo&)>& each) override {
    std::string continuation;
    do {
      KIST_TRY_ASSIGN(auto page, client_->list(key(prefix), {}, continuation));
      for (S3Object& object : page.objects)
        if (object.key.starts_with(prefix_) && !each(info(std::move(object)))) return {};
      if (!continuation.empty() && page.continuation == continuation)
        return fail(ErrorKind::unavailable, fmt::format("the listing of {} does not come to an end", address_));
      continuation = std::move(page.continuation);
    } while (!continuation.empty());
    return {};
  }

  Status remove(std::string_view name) override { return client_->remove(key(name)); }

 private:
  std::string key(std::string_view name) const { return prefix_ + std::string(name); }
  ObjectInfo info(S3Object object) const {
    return {.name = object.key.substr(prefix_.size()), .size = object.size, .version = std::move(object.etag)};
  }

  const std::unique_ptr<S3Client> client_;
  const std::string prefix_;  // empty, or with a slash at its end
  const std::string address_;
  std::mutex mutex_;
  std::optional<bool> obeys_;
};

}  // namespace

Result<S3Address> parse_s3_address(std::string_view text) {
  std::string_view rest = text;
  if (!rest.starts_with("s3://"))
    return fail(ErrorKind::invalid, fmt::format("'{}' is no address of a bucket: expected s3://BUCKET[/PREFIX]", text));
  rest.remove_prefix(5);
  const auto slash = rest.find('/');
  S3Address address{.bucket = std::string(rest.substr(0, slash)), .prefix = {}};
  if (slash != std::string_view::npos) {
    rest.remove_prefix(slash);
    while (rest.starts_with('/')) rest.remove_prefix(1);
    while (rest.ends_with('/')) rest.remove_suffix(1);
    address.prefix = rest;
  }
  if (address.bucket.empty()) return fail(ErrorKind::invalid, fmt::format("'{}' names no bucket", text));
  return address;
}

Result<S3Settings> s3_settings(const std::string& bucket, const S3Options& options) {
  AwsProfile profile;
  // Who gives keys need not have files that can be read.
  if (!options.credentials || options.profile) {
    KIST_TRY_ASSIGN(profile, find_aws_profile(options.profile));
  }
  S3Settings settings;
  settings.bucket = bucket;
  settings.endpoint = options.endpoint.value_or(profile.endpoint);
  settings.region = options.region.value_or(profile.region);
  settings.addressing = options.addressing.value_or(profile.addressing);
  settings.credentials = options.credentials ? options.credentials : profile.credentials;
  settings.http.ca_file = options.ca_file.value_or(profile.ca_file);
  return settings;
}

Result<std::unique_ptr<ObjectStore>> open_s3_objects(std::string_view address, const S3Options& options) {
  KIST_TRY_ASSIGN(const auto place, parse_s3_address(address));
  KIST_TRY_ASSIGN(auto settings, s3_settings(place.bucket, options));
  // A pack goes in one request, as others do beside it: a push that is killed cuts what is left into other packs the
  // next time, and nobody would go on with an upload in parts, or end it.
  settings.multipart_from = 128ULL << 20;
  return open_s3_objects(place.prefix, std::move(settings));
}

Result<std::unique_ptr<ObjectStore>> open_s3_objects(std::string_view prefix, S3Settings settings) {
  KIST_TRY_ASSIGN(auto client, S3Client::make(std::move(settings)));
  return std::make_unique<S3Objects>(std::move(client), prefix);
}

}  // namespace kist::net
