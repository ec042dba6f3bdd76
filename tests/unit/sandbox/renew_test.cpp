// renew(): a root that was left as it was given serves the next task; one that was not, never.
#include <csignal>

#include "sandbox/sandbox_fixture.hpp"

namespace kist::sandbox {
namespace {

struct RenewTest : SandboxTest {
  // Whether a root in which this script ran would serve another task.
  bool is_renewed_after(const std::string& script) {
    layout.scratch = new_scratch();
    auto sandbox = open();
    if (!sandbox) return false;
    EXPECT_EQ(run(*sandbox, script).ended.exit_code, 0) << script;
    auto renewed = sandbox->renew();
    EXPECT_TRUE(renewed) << renewed.error().text;
    return renewed && *renewed;
  }
};

TEST_F(RenewTest, ServesAgainWhatWasOnlyLookedAt) {
  EXPECT_TRUE(is_renewed_after("ls -lR /etc /tmp >/dev/null; cat /etc/passwd >/dev/null"));
  EXPECT_TRUE(is_renewed_after("echo x > /tmp/x; mkdir -p /mnt/a/b; rm -r /tmp/x /mnt/a"));
}

TEST_F(RenewTest, NoticesWhatWasWritten) {
  std::vector<std::string> scripts = {"echo x > /tmp/x", "mkdir /mnt/empty", "ln -s nowhere /tmp/link",
                                      "echo x > /dev/shm/x"};
  if (::geteuid() == 0)
    for (const char* script : {"rm /etc/hostname", "chmod 700 /tmp", "touch /etc/passwd", "mkdir /var/lib/kist-renew"})
      scripts.emplace_back(script);
  for (const std::string& script : scripts) EXPECT_FALSE(is_renewed_after(script)) << script;
}

TEST_F(RenewTest, NoticesAChangedFileOfTheLayout) {
  layout.files = {{"/.kist/script", "echo one", 0755}};
  EXPECT_TRUE(is_renewed_after("sh /.kist/script"));
  EXPECT_FALSE(is_renewed_after("echo 'echo two' > /.kist/script"));
}

TEST_F(RenewTest, NoticesWhatStaysInMemory) {
  if (::access("/usr/bin/ipcmk", X_OK) != 0) GTEST_SKIP() << "there is no ipcmk on this machine";
  EXPECT_FALSE(is_renewed_after("ipcmk --shmem 4096"));
  EXPECT_FALSE(is_renewed_after("ipcmk --queue"));
  EXPECT_FALSE(is_renewed_after("ipcmk --semaphore 1"));
}

TEST_F(RenewTest, NoticesAChangedProject) {
  fs::path project = area.path() / "project";
  fs::create_directory(project);
  write_file(project / "file", "text");
  layout.mounts = {{Mount::Kind::private_copy, project, "/tmp/project"}};
  EXPECT_TRUE(is_renewed_after("cat /tmp/project/file"));
  EXPECT_FALSE(is_renewed_after("echo more >> /tmp/project/file"));
}

TEST_F(RenewTest, EndsWhatStillRan) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  run(*sandbox, "setsid sleep 1000 >/dev/null 2>&1 &");
  auto renewed = sandbox->renew();
  ASSERT_TRUE(renewed && *renewed);
  EXPECT_EQ(run(*sandbox, "cat /proc/[0-9]*/comm | grep -c sleep").output, "0\n");
}

}  // namespace
}  // namespace kist::sandbox
