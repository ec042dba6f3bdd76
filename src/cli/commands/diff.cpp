#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/terminal.hpp"
#include "base/text_diff.hpp"
#include "base/utf8.hpp"
#include "cli/commands/table.hpp"
#include "cli/listing.hpp"
#include "cli/subject.hpp"
#include "store/compare.hpp"

namespace kist::cli {

namespace {

using store::Difference;
using store::EntryType;
using store::TreeEntry;

// Larger files are told to differ, not how.
constexpr std::size_t kLargestText = 1 << 20;

struct DiffOptions {
  std::string before;
  std::string after;
  bool name_status = false;
  bool stat = false;
  bool quiet = false;
  bool json = false;
};

constexpr std::string_view kTypes[] = {"file", "directory", "link"};

std::string_view type_word(const TreeEntry& entry) {
  return kTypes[static_cast<int>(entry.type)];
}

std::uint64_t size_of(const TreeEntry* entry) {
  return entry == nullptr ? 0 : entry->content.size;
}

// Where a difference is, for people and programs: the address of its artifact and the path in it.
struct Where {
  std::string path;
  std::string before;  // with the run
  std::string after;
};

// Takes differences one by one.
class Printer {
 public:
  virtual ~Printer() = default;
  virtual Status print(const Where& where, const Difference& difference) = 0;
  virtual void finish() {}
};

class JsonPrinter final : public Printer {
 public:
  Status print(const Where& where, const Difference& difference) override {
    const bool both = difference.before != nullptr && difference.after != nullptr;
    Json item{{"name", where.path}, {"status", both ? "changed" : difference.before ? "removed" : "added"}};
    if (both) {
      Json what = Json::array();
      if (difference.type) what.push_back("type");
      if (difference.mode) what.push_back("mode");
      if (difference.content) what.push_back("content");
      if (difference.target) what.push_back("target");
      item["what"] = std::move(what);
    }
    if (difference.before != nullptr) item["before"] = side(*difference.before);
    if (difference.after != nullptr) item["after"] = side(*difference.after);
    array_.add(item);
    return {};
  }
  void finish() override { array_.finish(); }

 private:
  static Json side(const TreeEntry& entry) {
    Json value{{"type", type_word(entry)}, {"mode", fmt::format("{:04o}", entry.mode)}};
    if (entry.type == EntryType::link) value["target"] = entry.link_target;
    if (entry.type == EntryType::file) {
      value["size"] = entry.content.size;
      value["digest"] = entry.content.id().to_string();
    }
    return value;
  }
  JsonArrayPrinter array_;
};

// One line for each: "M  output/hello.txt", as git has it; with sizes, and a sum at the end.
class LinePrinter final : public Printer {
 public:
  LinePrinter(bool sizes, bool colored) : sizes_(sizes), colored_(colored) {}

  Status print(const Where& where, const Difference& difference) override {
    const bool added = difference.before == nullptr;
    const bool removed = !added && difference.after == nullptr;
    ++(added ? added_ : removed ? removed_ : changed_);
    const std::string_view letter = added ? "A" : removed ? "D" : difference.type ? "T" : "M";
    const Color color = added ? Color::green : removed ? Color::red : Color::yellow;
    const TreeEntry& entry = removed ? *difference.before : *difference.after;
    std::string line = fmt::format("{}\t{}{}", paint(letter, color, colored_), printable(where.path),
                                   entry.type == EntryType::directory ? "/" : "");
    if (sizes_) line += tail(difference);
    cli::print(line + "\n");
    return {};
  }

  void finish() override {
    if (!sizes_) return;
    cli::print(fmt::format("{} added, {} removed, {} changed; {} added, {} removed\n", added_, removed_, changed_,
                           human_size(bytes_added_), human_size(bytes_removed_)));
  }

 private:
  std::string tail(const Difference& difference) {
    std::string text;
    const bool was_file = difference.before != nullptr && difference.before->type == EntryType::file;
    const bool is_file = difference.after != nullptr && difference.after->type == EntryType::file;
    const std::uint64_t before = was_file ? size_of(difference.before) : 0;
    const std::uint64_t after = is_file ? size_of(difference.after) : 0;
    if (difference.content || !was_file || !is_file) {
      bytes_removed_ += before;
      bytes_added_ += after;
      if (was_file && is_file) {
        text += fmt::format("\t{} → {}", human_size(before), human_size(after));
      } else if (was_file || is_file) {
        text += fmt::format("\t{}", human_size(was_file ? before : after));
      }
    }
    if (difference.mode) text += fmt::format("\tmode {:04o} → {:04o}", difference.before->mode, difference.after->mode);
    return text;
  }

  bool sizes_;
  bool colored_;
  std::uint64_t added_ = 0;
  std::uint64_t removed_ = 0;
  std::uint64_t changed_ = 0;
  std::uint64_t bytes_added_ = 0;
  std::uint64_t bytes_removed_ = 0;
};

// What changed, with the lines of small text files.
class TextPrinter final : public Printer {
 public:
  TextPrinter(store::ChunkSource& chunks, bool colored) : chunks_(chunks), colored_(colored) {}

  Status print(const Where& where, const Difference& difference) override {
    cli::print(
        paint(fmt::format("diff {} {}", printable(where.before), printable(where.after)), Color::bold, colored_) +
        "\n");
    if (difference.type) {
      // As one that went and another that came.
      KIST_TRY(describe(where, {.path = difference.path, .before = difference.before, .after = nullptr}));
      return describe(where, {.path = difference.path, .before = nullptr, .after = difference.after});
    }
    return describe(where, difference);
  }

 private:
  Status describe(const Where& where, const Difference& difference) {
    const TreeEntry* before = difference.before;
    const TreeEntry* after = difference.after;
    const auto one_sided = [&](std::string_view verb, const TreeEntry& entry) {
      cli::print(fmt::format("{} {} mode {:04o}\n", verb, type_word(entry), entry.mode));
    };
    if (before == nullptr) one_sided("new", *after);
    if (after == nullptr) one_sided("deleted", *before);
    if (difference.mode) cli::print(fmt::format("old mode {:04o}\nnew mode {:04o}\n", before->mode, after->mode));
    const auto link = [&](char mark, const TreeEntry* entry) {
      if (entry == nullptr || entry->type != EntryType::link) return;
      cli::print(paint(fmt::format("{}-> {}", mark, printable(entry->link_target)),
                       mark == '-' ? Color::red : Color::green, colored_) +
                 "\n");
    };
    if (difference.target || before == nullptr || after == nullptr) {
      link('-', before);
      link('+', after);
    }
    const bool file = (before != nullptr ? before : after)->type == EntryType::file;
    if (file && (difference.content || before == nullptr || after == nullptr)) return lines(where, before, after);
    return {};
  }

  Status lines(const Where& where, const TreeEntry* before, const TreeEntry* after) {
    if (size_of(before) <= kLargestText && size_of(after) <= kLargestText) {
      std::string old_text;
      std::string new_text;
      if (before != nullptr) {
        KIST_TRY_ASSIGN(old_text, store::read_small(chunks_, before->content, kLargestText));
      }
      if (after != nullptr) {
        KIST_TRY_ASSIGN(new_text, store::read_small(chunks_, after->content, kLargestText));
      }
      if (is_text(old_text) && is_text(new_text)) {
        if (old_text.empty() && new_text.empty()) return {};
        cli::print(
            paint("--- " + (before == nullptr ? "/dev/null" : printable(where.before)), Color::bold, colored_) + "\n" +
            paint("+++ " + (after == nullptr ? "/dev/null" : printable(where.after)), Color::bold, colored_) + "\n");
        print_hunks(unified_diff(old_text, new_text));
        return {};
      }
    }
    const auto size = [](const TreeEntry* entry) { return entry == nullptr ? "none" : human_size(size_of(entry)); };
    cli::print(fmt::format("Binary or large files differ: {} → {}\n", size(before), size(after)));
    return {};
  }

  void print_hunks(std::string_view text) {
    if (!colored_) return cli::print(text);
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      const Color color = line.starts_with('+')   ? Color::green
                          : line.starts_with('-') ? Color::red
                          : line.starts_with('@') ? Color::blue
                                                  : Color::none;
      cli::print(paint(line, color) + "\n");
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
  }

  store::ChunkSource& chunks_;
  bool colored_;
};

std::string join(std::string_view a, std::string_view b) {
  return a.empty() ? std::string(b) : b.empty() ? std::string(a) : fmt::format("{}/{}", a, b);
}

class Comparison {
 public:
  Comparison(store::ChunkSource& chunks, Printer* printer) : chunks_(chunks), printer_(printer) {}

  Status run(const Located& before, const Located& after) {
    if (before.path.empty() != after.path.empty())
      return fail(ErrorKind::invalid,
                  "a whole run can only be compared with a whole run: name an artifact on both sides, or on none");
    before_ = before.run.name;
    after_ = after.run.name;
    if (before.path.empty()) return compare_runs(before.run, after.run);
    KIST_TRY_ASSIGN(const auto old_found, find_artifact(before.run, before.path));
    KIST_TRY_ASSIGN(const auto new_found, find_artifact(after.run, after.path));
    return compare_places(place(old_found), place(new_found), before.path, after.path);
  }

  bool differs() const { return differs_; }

 private:
  store::Place place(const model::Resolved& found) const {
    return {chunks_, {found.artifact.artifact->tree, found.artifact.artifact->times}, found.inside};
  }
  store::Place place(const model::ArtifactRecord& artifact) const {
    return {chunks_, {artifact.tree, artifact.times}, ""};
  }

  // `old_name`, `new_name`: what is compared, without the run.
  Status compare_places(const store::Place& before, const store::Place& after, const std::string& old_name,
                        const std::string& new_name) {
    return compare(before, after, [&](const Difference& difference) -> Result<bool> {
      return give({join(new_name, difference.path), join(join(before_, old_name), difference.path),
                   join(join(after_, new_name), difference.path)},
                  difference);
    });
  }

  Status one_sided(const store::Place& where, const std::string& address, bool added) {
    return each_entry(where, [&](std::string_view path, const TreeEntry& entry) -> Result<bool> {
      Difference difference{
          .path = std::string(path), .before = added ? nullptr : &entry, .after = added ? &entry : nullptr};
      return give({join(address, path), join(join(before_, address), path), join(join(after_, address), path)},
                  difference);
    });
  }

  // Artifacts are the same where their addresses are.
  Status compare_runs(const model::RunRecord& before, const model::RunRecord& after) {
    std::map<std::string, std::pair<const model::ArtifactRecord*, const model::ArtifactRecord*>> artifacts;
    const auto old_addresses = model::addresses(before);
    const auto new_addresses = model::addresses(after);
    for (const auto& one : old_addresses) artifacts[one.address].first = one.artifact;
    for (const auto& one : new_addresses) artifacts[one.address].second = one.artifact;
    for (const auto& [address, sides] : artifacts) {
      if (stopped_) return {};
      const auto& [old_artifact, new_artifact] = sides;
      if (old_artifact == nullptr) {
        KIST_TRY(one_sided(place(*new_artifact), address, true));
      } else if (new_artifact == nullptr) {
        KIST_TRY(one_sided(place(*old_artifact), address, false));
      } else {
        KIST_TRY(compare_places(place(*old_artifact), place(*new_artifact), address, address));
      }
    }
    return {};
  }

  Result<bool> give(const Where& where, const Difference& difference) {
    differs_ = true;
    if (printer_ == nullptr) {
      stopped_ = true;
      return false;
    }
    KIST_TRY(printer_->print(where, difference));
    return true;
  }

  store::ChunkSource& chunks_;
  Printer* printer_;
  std::string before_;
  std::string after_;
  bool differs_ = false;
  bool stopped_ = false;
};

Result<int> diff(Context& context, const DiffOptions& options) {
  if (options.name_status + options.stat + options.quiet + options.json > 1)
    return fail(ErrorKind::invalid, "--name-status, --stat, --quiet, --json: one of them at most");
  KIST_TRY_ASSIGN(const auto before, locate(context.house, options.before));
  KIST_TRY_ASSIGN(const auto after, locate(context.house, options.after));
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  const bool colored = context.colored_output();
  std::unique_ptr<Printer> printer;
  if (options.json) {
    printer = std::make_unique<JsonPrinter>();
  } else if (options.name_status || options.stat) {
    printer = std::make_unique<LinePrinter>(options.stat, colored);
  } else if (!options.quiet) {
    printer = std::make_unique<TextPrinter>(store->chunks(), colored);
  }
  Comparison comparison(store->chunks(), printer.get());
  KIST_TRY(comparison.run(before, after));
  if (printer) printer->finish();
  return comparison.differs() ? 1 : 0;
}

}  // namespace

void declare_diff(Arguments& arguments, Context& context) {
  auto options = std::make_shared<DiffOptions>();
  arguments.flag("--name-status", options->name_status, "One line for each difference: A added, D removed, M changed");
  arguments.flag("--stat", options->stat, "The same with sizes, and sums");
  arguments.flag("-q,--quiet", options->quiet, "Nothing but the exit code");
  arguments.flag("--json", options->json, "Print JSON");
  arguments.positional("A", options->before, "RUN, :TAG, RUN/ARTIFACT or RUN/ARTIFACT/PATH", Completes::run_or_tag);
  arguments.positional("B", options->after, "What to compare it with: the same forms", Completes::run_or_tag);
  arguments.epilogue("Exit code: 0 nothing differs, 1 something does, 2 and above: it could not be told.");
  arguments.action([&context, options] { return diff(context, *options); });
}

}  // namespace kist::cli
