#include "cli/commands/table.hpp"

#include <array>

namespace kist::cli {

std::span<const Command> kist_commands() {
  static constexpr std::string_view kRuns = "Runs";
  static constexpr std::string_view kArtifacts = "Artifacts";
  static constexpr std::string_view kRemotes = "Remotes";
  static constexpr std::string_view kStore = "The store";
  static constexpr std::string_view kTasks = "Inside a task";
  static constexpr std::string_view kOther = "Files and this machine";
  static constexpr auto kCommands = std::to_array<Command>({
      {"run", "Run a workflow of this project, or a workflow file", declare_run, kRuns},
      {"ps", "List runs", declare_ps, kRuns},
      {"show", "Show a run: its steps, messages and artifacts", declare_show, kRuns},
      {"logs", "Print what the tasks of a run wrote", declare_logs, kRuns},
      {"stop", "Stop a run", declare_stop, kRuns},
      {"approve", "Let a run go on that waits for somebody", declare_approve, kRuns},
      {"resume", "Go on with an interrupted run", declare_resume, kRuns},
      {"retry", "Run again what has failed in a run that has ended", declare_retry, kRuns},
      {"metrics", "Print what runs have measured, for Prometheus", declare_metrics, kRuns},
      {"rm", "Remove a finished run", declare_rm, kRuns},
      {"ls", "List the artifacts of a run or tag", declare_ls, kArtifacts},
      {"cat", "Print a file of an artifact", declare_cat, kArtifacts},
      {"cp", "Copy a file or directory out of an artifact", declare_cp, kArtifacts},
      {"artifacts", "List or download all artifacts of a run or tag", declare_artifacts, kArtifacts},
      {"export", "Write artifacts as a tar or zip archive", declare_export, kArtifacts},
      {"diff", "Tell what differs between two runs, artifacts or files", declare_diff, kArtifacts},
      {"why", "Tell which step made an artifact or file, and from what", declare_why, kArtifacts},
      {"mount", "Show the artifacts of a run or tag as files, without copying them", declare_mount, kArtifacts},
      {"unmount", "End a mount", declare_unmount, kArtifacts},
      {"tags", "List, add or delete tags: names that keep a run's artifacts", declare_tags, kArtifacts},
      {"put", "Put a file or directory under a key of the default repository", declare_put, kArtifacts},
      {"keys", "List or delete keys of the default repository", declare_keys, kArtifacts},
      {"remote", "List, add or remove remotes: where runs are pushed to and pulled from", declare_remote, kRemotes},
      {"push", "Send runs with all their artifacts to a remote", declare_push, kRemotes},
      {"pull", "Fetch runs with all their artifacts from a remote", declare_pull, kRemotes},
      {"publish", "Keep an artifact of this task before it ends", declare_publish, kTasks},
      {"report", "Say how far this task is", declare_report, kTasks},
      {"gc", "Free what no run and no tag needs; remove old runs by rules", declare_gc, kStore},
      {"fsck", "Check and repair what is stored", declare_fsck, kStore},
      {"du", "Tell what runs cost", declare_du, kStore},
      {"secrets", "List, add, update or delete secrets: values that tasks get and nothing shows", declare_secrets,
       kOther},
      {"serve", "Serve artifacts to other machines", declare_serve, kOther},
      {"apply", "Keep templates, config maps and schedules that workflows refer to", declare_apply, kOther},
      {"lint", "Check workflow files without running them", declare_lint, kOther},
      {"doctor", "Tell what this machine lets kist do", declare_doctor, kOther},
      {"completion", "Print completions for bash, zsh or fish", declare_completion, kOther},
      {"__complete", "Candidates for the word at the cursor", declare_complete, ""},
  });
  return kCommands;
}

std::span<const Command> commands_of(const Context& context) {
  return context.own_system() == nullptr ? kist_commands() : dstack_commands();
}

}  // namespace kist::cli
