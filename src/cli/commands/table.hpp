// The table of commands. What `kist --help` lists, what is completed and what is run are the same rows.
#pragma once

#include <span>
#include <string_view>

#include "cli/arguments.hpp"
#include "cli/context.hpp"

namespace kist::cli {

struct Command {
  std::string_view name;
  std::string_view help;                                    // one line
  void (*declare)(Arguments& arguments, Context& context);  // says what it accepts and what it does
  std::string_view group;                                   // heading in the list of commands; empty: not listed
};

// kist's own, and those of dstack under its name.
std::span<const Command> kist_commands();
std::span<const Command> dstack_commands();
// Those of this context.
std::span<const Command> commands_of(const Context& context);

// One per file of this folder.
void declare_artifacts(Arguments& arguments, Context& context);
void declare_cat(Arguments& arguments, Context& context);
void declare_complete(Arguments& arguments, Context& context);
void declare_completion(Arguments& arguments, Context& context);
void declare_cp(Arguments& arguments, Context& context);
void declare_diff(Arguments& arguments, Context& context);
void declare_doctor(Arguments& arguments, Context& context);
void declare_du(Arguments& arguments, Context& context);
void declare_export(Arguments& arguments, Context& context);
void declare_fsck(Arguments& arguments, Context& context);
void declare_gc(Arguments& arguments, Context& context);
void declare_keys(Arguments& arguments, Context& context);
void declare_lint(Arguments& arguments, Context& context);
void declare_logs(Arguments& arguments, Context& context);
void declare_ls(Arguments& arguments, Context& context);
void declare_metrics(Arguments& arguments, Context& context);
void declare_mount(Arguments& arguments, Context& context);
void declare_ps(Arguments& arguments, Context& context);
void declare_publish(Arguments& arguments, Context& context);
void declare_pull(Arguments& arguments, Context& context);
void declare_push(Arguments& arguments, Context& context);
void declare_remote(Arguments& arguments, Context& context);
void declare_put(Arguments& arguments, Context& context);
void declare_report(Arguments& arguments, Context& context);
void declare_resume(Arguments& arguments, Context& context);
void declare_retry(Arguments& arguments, Context& context);
void declare_rm(Arguments& arguments, Context& context);
void declare_run(Arguments& arguments, Context& context);
void declare_secrets(Arguments& arguments, Context& context);
void declare_serve(Arguments& arguments, Context& context);
void declare_show(Arguments& arguments, Context& context);
void declare_approve(Arguments& arguments, Context& context);
void declare_stop(Arguments& arguments, Context& context);
void declare_apply(Arguments& arguments, Context& context);
void declare_tags(Arguments& arguments, Context& context);

void declare_unmount(Arguments& arguments, Context& context);
void declare_why(Arguments& arguments, Context& context);

}  // namespace kist::cli
