// dstack's `${{ … }}`: two names are known, `run.name` and `run.args`, everywhere in a workflow.
//
//   ${{ run.name }}          the run's name; blanks inside the braces are optional
//   ${{ run.foo }}           nothing, with a warning
//   ${{ a }}                 an error: a reference is one name, a dot, another name
//   ${{ run.name             an error: no closing braces
//   $${{ run.name }}         the text ${{ run.name }}
//   $$, $X, ${X}             untouched: they belong to the shell
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "expression/text.hpp"
#include "model/reader.hpp"

namespace kist::dialect::dstack {

using Parts = std::vector<expression::Part>;

// The pieces of a text: what is known now as literals, the run's name as a reference to `workflow.name`. Mistakes go to
// `notices`, with `origin` as their place.
Parts interpolate(std::string_view text, std::string_view run_arguments, const model::Origin& origin,
                  model::Notices& notices);

// `run.args`: the words joined by blanks; a word with a blank in it in double quotes (with \" for its own), others as
// they are, so `$` and `*` reach the shell.
std::string join_arguments(const std::vector<std::string>& words);

// Whether anything is known only when the run has its name.
bool is_late(const Parts& parts);
// The text, late references as they are written.
std::string source(const Parts& parts);

}  // namespace kist::dialect::dstack
