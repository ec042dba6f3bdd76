// The lines in which two texts differ, as a unified diff. Our own, as it is one page: no program is started for every
// changed file, and none needs to be there.
#pragma once

#include <string>
#include <string_view>

namespace kist {

// The hunks ("@@ -1,3 +1,4 @@ …") with three lines around each change; empty where the texts are the same. A last line
// without a line break is marked as diff(1) does. Any two texts are done in good time: where they have little in common
// the result may not be the shortest.
std::string unified_diff(std::string_view before, std::string_view after);

// Whether it is text for people: no NUL in it.
bool is_text(std::string_view bytes);

}  // namespace kist
