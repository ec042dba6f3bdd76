#include "model/names.hpp"

#include <array>

namespace kist::model {
namespace {

constexpr auto kAdjectives = std::to_array<std::string_view>(
    {"able",   "agile",    "amber",   "ample",    "ancient",  "apt",     "arctic",   "autumn",  "bold",   "brave",
     "breezy", "bright",   "brisk",   "calm",     "candid",   "careful", "cheerful", "chilly",  "clever", "cosmic",
     "cozy",   "crisp",    "curious", "dainty",   "dapper",   "daring",  "deft",     "eager",   "early",  "earnest",
     "easy",   "elated",   "fair",    "fancy",    "fearless", "fierce",  "fluffy",   "fond",    "frank",  "free",
     "fresh",  "frosty",   "fuzzy",   "gentle",   "giddy",    "glad",    "gleaming", "golden",  "good",   "graceful",
     "grand",  "grumpy",   "happy",   "hardy",    "hasty",    "hearty",  "honest",   "hopeful", "humble", "hungry",
     "icy",    "jolly",    "jovial",  "keen",     "kind",     "lively",  "loyal",    "lucky",   "lunar",  "mellow",
     "merry",  "mighty",   "mild",    "modest",   "neat",     "nimble",  "noble",    "odd",     "orange", "patient",
     "perky",  "placid",   "plain",   "playful",  "plucky",   "polite",  "proud",    "purple",  "quick",  "quiet",
     "rapid",  "rare",     "ready",   "restless", "rosy",     "royal",   "rustic",   "salty",   "sandy",  "serene",
     "sharp",  "shiny",    "shy",     "silent",   "silver",   "simple",  "sleepy",   "slim",    "smart",  "smooth",
     "snappy", "snowy",    "solar",   "solid",    "spicy",    "spry",    "steady",   "stern",   "stoic",  "sturdy",
     "subtle", "sunny",    "sweet",   "swift",    "tall",     "tame",    "tender",   "thrifty", "tidy",   "tiny",
     "tough",  "tranquil", "true",    "upbeat",   "velvet",   "vivid",   "warm",     "wary",    "wise",   "witty",
     "young",  "zany",     "zesty"});

constexpr auto kAnimals = std::to_array<std::string_view>(
    {"alpaca",  "ant",    "antelope", "badger",  "bat",     "bear",    "beaver",   "bee",    "bison",   "bobcat",
     "buffalo", "camel",  "canary",   "caribou", "cat",     "cheetah", "chipmunk", "cobra",  "cod",     "condor",
     "cougar",  "cow",    "coyote",   "crab",    "crane",   "cricket", "crow",     "deer",   "dingo",   "dolphin",
     "donkey",  "dove",   "duck",     "eagle",   "eel",     "elk",     "emu",      "falcon", "ferret",  "finch",
     "firefly", "fish",   "fox",      "frog",    "gazelle", "gecko",   "goat",     "goose",  "gopher",  "gull",
     "hare",    "hawk",   "hedgehog", "heron",   "hippo",   "horse",   "ibis",     "iguana", "impala",  "jackal",
     "jaguar",  "koala",  "lark",     "lemur",   "leopard", "liger",   "lion",     "lizard", "llama",   "lobster",
     "lynx",    "magpie", "mantis",   "marmot",  "mole",    "moose",   "moth",     "mouse",  "mule",    "newt",
     "octopus", "otter",  "owl",      "ox",      "oyster",  "panda",   "panther",  "parrot", "pelican", "penguin",
     "pigeon",  "puma",   "quail",    "rabbit",  "raccoon", "raven",   "robin",    "salmon", "seal",    "shark",
     "sheep",   "shrimp", "skunk",    "sloth",   "snail",   "sparrow", "spider",   "squid",  "stork",   "swan",
     "tapir",   "tiger",  "toad",     "trout",   "turtle",  "viper",   "walrus",   "weasel", "whale",   "wolf",
     "wombat",  "wren",   "yak",      "zebra"});

}  // namespace

std::span<const std::string_view> adjectives() {
  return kAdjectives;
}
std::span<const std::string_view> animals() {
  return kAnimals;
}

}  // namespace kist::model
