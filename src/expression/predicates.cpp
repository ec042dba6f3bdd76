#include "expression/predicates.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "expression/operators.hpp"

namespace kist::expression {
namespace {

class Loop {
 public:
  Loop(std::string_view name, const List& list, const PredicateOf& of, Work& work)
      : name_(name), list_(list), of_(of), work_(work) {}

  Result<Value> run(const Value* third) {
    if (name_ == "map") return map();
    if (name_ == "filter") return filter();
    if (name_ == "sum") return sum();
    if (name_ == "groupBy") return group();
    if (name_ == "sortBy") return sort(third);
    if (name_ == "reduce") return reduce(third);
    if (name_.starts_with("find")) return find();
    return count();
  }

 private:
  Result<Value> at(std::size_t index) {
    KIST_TRY(work_.step());
    return of_(index, Value());
  }
  Result<bool> holds(std::size_t index) {
    KIST_TRY_ASSIGN(Value value, at(index));
    if (const bool* truth = value.truth()) return *truth;
    return fail(ErrorKind::invalid,
                fmt::format("the predicate of {} gives {}, not true or false", name_, value.type()));
  }

  Result<Value> map() {
    List result;
    for (std::size_t i = 0; i < list_.size(); ++i) {
      KIST_TRY_ASSIGN(Value value, at(i));
      result.push_back(std::move(value));
    }
    return work_.make(std::move(result));
  }

  Result<Value> filter() {
    List result;
    for (std::size_t i = 0; i < list_.size(); ++i) {
      KIST_TRY_ASSIGN(bool keep, holds(i));
      if (keep) result.push_back(list_[i]);
    }
    return work_.make(std::move(result));
  }

  Result<Value> sum() {
    Value total(std::int64_t{0});
    for (std::size_t i = 0; i < list_.size(); ++i) {
      KIST_TRY_ASSIGN(Value value, at(i));
      bool first_duration = i == 0 && value.duration() != nullptr;
      if (first_duration) total = Value(Duration(0));
      KIST_TRY_ASSIGN(total, operate(syntax::Operator::add, value, total, work_));
    }
    return total;
  }

  Result<Value> group() {
    std::map<std::string, List> groups;
    for (std::size_t i = 0; i < list_.size(); ++i) {
      KIST_TRY_ASSIGN(Value key, at(i));
      if (key.list() != nullptr || key.map() != nullptr)
        return fail(ErrorKind::invalid, fmt::format("{} cannot be the key of groupBy", key.type()));
      groups[to_plain_text(key)].push_back(list_[i]);
    }
    Map result;
    for (auto& [key, items] : groups) {
      KIST_TRY_ASSIGN(result[key], work_.make(std::move(items)));
    }
    return work_.make(std::move(result));
  }

  Result<Value> sort(const Value* order) {
    bool descending = false;
    if (order != nullptr) {
      KIST_TRY_ASSIGN(descending, is_descending(*order));
    }
    List keys;
    for (std::size_t i = 0; i < list_.size(); ++i) {
      KIST_TRY_ASSIGN(Value key, at(i));
      keys.push_back(std::move(key));
    }
    KIST_TRY_ASSIGN(List sorted, sort_by(list_, keys, descending));
    return work_.make(std::move(sorted));
  }

  Result<Value> reduce(const Value* initial) {
    if (initial == nullptr && list_.empty())
      return fail(ErrorKind::invalid, "reduce of an empty array needs an initial value");
    Value accumulator = initial != nullptr ? *initial : list_.front();
    for (std::size_t i = initial != nullptr ? 0 : 1; i < list_.size(); ++i) {
      KIST_TRY(work_.step());
      KIST_TRY_ASSIGN(accumulator, of_(i, accumulator));
    }
    return accumulator;
  }

  Result<Value> find() {
    bool last = name_.starts_with("findLast");
    bool index = name_.ends_with("Index");
    for (std::size_t i = 0; i < list_.size(); ++i) {
      std::size_t at = last ? list_.size() - 1 - i : i;
      KIST_TRY_ASSIGN(bool found, holds(at));
      if (found) return index ? Value(static_cast<std::int64_t>(at)) : list_[at];
    }
    return Value();
  }

  // all, any, one, none, count.
  Result<Value> count() {
    std::int64_t found = 0;
    for (std::size_t i = 0; i < list_.size(); ++i) {
      KIST_TRY_ASSIGN(bool one, holds(i));
      if (!one && name_ == "all") return Value(false);
      if (one && name_ == "any") return Value(true);
      if (one && name_ == "none") return Value(false);
      found += one ? 1 : 0;
    }
    if (name_ == "count") return Value(found);
    if (name_ == "one") return Value(found == 1);
    return Value(name_ != "any");
  }

  std::string_view name_;
  const List& list_;
  const PredicateOf& of_;
  Work& work_;
};

}  // namespace

Result<Value> call_with_predicate(std::string_view name, const List& list, const PredicateOf& of, const Value* third,
                                  Work& work) {
  return Loop(name, list, of, work).run(third);
}

Result<List> sort_by(const List& list, const List& keys, bool descending) {
  std::vector<std::size_t> order(list.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Every key must go with the first: then all go with each other.
  for (const Value& key : keys)
    if (auto ordered = less(key, keys.front()); !ordered) return std::unexpected(std::move(ordered).error());
  auto before = [&](std::size_t a, std::size_t b) {
    return descending ? less(keys[b], keys[a]).value() : less(keys[a], keys[b]).value();
  };
  auto is_nan = [](const Value& key) { return key.real() != nullptr && *key.real() != *key.real(); };
  if (std::ranges::any_of(keys, is_nan)) return fail(ErrorKind::invalid, "NaN cannot be ordered");
  std::ranges::stable_sort(order, before);
  List sorted;
  sorted.reserve(list.size());
  for (std::size_t index : order) sorted.push_back(list[index]);
  return sorted;
}

Result<bool> is_descending(const Value& order) {
  const std::string* text = order.text();
  if (text != nullptr && (*text == "asc" || *text == "desc")) return *text == "desc";
  return fail(ErrorKind::invalid, "the order of a sort is 'asc' or 'desc'");
}

}  // namespace kist::expression
