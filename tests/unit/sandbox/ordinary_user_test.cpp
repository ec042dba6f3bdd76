// The sandbox as an ordinary user has it, and where this machine refuses it. Started as root, the suite runs again as
// another user.
#include <cstdlib>

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox_fixture.hpp"

extern char** environ;

namespace kist::sandbox {
namespace {

constexpr uid_t kNobody = 65534;

// A user of which nobody has heard: no passwd entry, no home.
constexpr uid_t kStranger = 54321;

void become(uid_t user) {
  ASSERT_EQ(::setgroups(0, nullptr), 0);
  ASSERT_EQ(::setgid(user), 0);
  ASSERT_EQ(::setuid(user), 0);
}

TEST(OrdinaryUser, PassesTheSuite) {
  if (::geteuid() != 0) GTEST_SKIP() << "runs as an ordinary user already";
  ScratchDirectory area = std::move(*ScratchDirectory::make("/var/lib", "kist-user-test-"));
  ASSERT_EQ(::chown(area.path().c_str(), kNobody, kNobody), 0);
  int program = ::open("/proc/self/exe", O_RDONLY);
  in_own_process([&] {
    ::setenv("KIST_TEST_AREA", area.path().c_str(), 1);
    become(kNobody);
    std::string name = "test_sandbox";
    std::string filter = "--gtest_filter=SandboxTest.*:UserSandbox.*:RenewTest.*";
    std::array<char*, 3> arguments{name.data(), filter.data(), nullptr};
    ::fexecve(program, arguments.data(), environ);
    ADD_FAILURE() << "cannot run the suite again";
  });
  ::close(program);
}

class UserSandbox : public SandboxTest {
 protected:
  void SetUp() override {
    if (::geteuid() == 0) GTEST_SKIP() << "for an ordinary user";
    SandboxTest::SetUp();
  }
};

TEST_F(UserSandbox, IsTheUserOrRootAsTheFileAsks) {
  EXPECT_EQ(launcher().isolation(), Isolation::user);
  EXPECT_FALSE(launcher().limits().empty());
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "id -u").output, std::to_string(::geteuid()) + "\n");
  layout.scratch = new_scratch();
  layout.as_root = true;
  auto root = open();
  ASSERT_TRUE(root);
  EXPECT_EQ(run(*root, "id -u; touch /root/file && stat -c %u /root/file").output, "0\n0\n");
  auto file = root->open_inside("/root/other", O_WRONLY | O_CREAT, 0644);
  ASSERT_TRUE(file) << file.error().text;
  EXPECT_EQ(run(*root, "stat -c %u /root/other").output, "0\n");
}

TEST_F(UserSandbox, WritesInDirectoriesOfOthers) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(
      run(*sandbox,
          "for d in / /usr /usr/local/bin /usr/lib /etc /opt /var/lib /srv; do touch $d/kist-test || echo $d; done; "
          "rm /etc/hostname && echo new > /etc/hostname && cat /etc/hostname")
          .output,
      "new\n");
}

// The suite's own sandboxes may be made by root: what kist does when this machine lets it do less.
TEST(Isolations, RunInAScratchDirectoryWhereNothingElseIsAllowed) {
  ScratchDirectory area = std::move(*ScratchDirectory::make(test_area(), "kist-directory-test-"));
  in_own_process([&] {
    ::setenv("KIST_ISOLATION", "directory", 1);
    auto own = Launcher::start();
    EXPECT_EQ((*own)->isolation(), Isolation::directory);
    ASSERT_EQ((*own)->limits().size(), 1U);

    fs::path project = area.path() / "project";
    fs::create_directories(project / ".kist/scratch");
    write_file(project / "file", "project\n");
    write_file(project / ".kist/secret", "secret\n");
    fs::path input = area.path() / "input";
    fs::create_directory(input);
    write_file(input / "data", "input\n");
    Layout layout;
    layout.scratch = project / ".kist/scratch";
    layout.hidden = {project / ".kist"};
    layout.files = {{"/.kist/script", "cat file in/data; echo changed > file; echo new > out\n", 0755}};
    layout.mounts = {{Mount::Kind::private_copy, input, project / "in"}};
    fs::create_directories(project / "output");
    write_file(project / "output/old", "old\n");
    layout.fresh.push_back(project / "output");
    layout.fresh.push_back(project / "made/for");
    auto opened = (*own)->open(layout);
    ASSERT_TRUE(opened) << opened.error().text;
    Sandbox& sandbox = **opened;
    EXPECT_EQ(run(sandbox, "ls -A output made/for", project).output, "made/for:\n\noutput:\n");
    EXPECT_EQ(run(sandbox, "cat file in/data; echo changed > file; echo new > out", project).output,
              "project\ninput\n");
    EXPECT_EQ(run(sandbox, "cat .kist/secret", project).ended.exit_code, 1);
    Command command;
    command.arguments = {"/bin/sh", "/.kist/script"};
    command.working_directory = project;
    EXPECT_EQ((*sandbox.wait(*sandbox.start(command)))->exit_code, 0);
    EXPECT_EQ(*read_file(project / "file"), "project\n");
    EXPECT_EQ(*read_file(sandbox.find(project / "out")->owned), "new\n");
    EXPECT_EQ(sandbox.find("/tmp/out").error().kind, ErrorKind::unsupported);

    // Daemons end with the sandbox here too.
    command.arguments = {"sh", "-c", "trap '' TERM; setsid sleep 27182818 & sleep 27182818"};
    command.environment = {"PATH=/usr/bin:/bin"};
    ASSERT_TRUE(sandbox.start(command));
    ASSERT_TRUE(sandbox.close());
    EXPECT_NE(std::system("pgrep -f '[2]7182818' > /dev/null"), 0);

    layout.mounts = {{Mount::Kind::private_copy, input, "/tmp/in"}};
    auto refused = (*own)->open(layout);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
    EXPECT_NE(refused.error().text.find("/tmp/in"), std::string::npos);
  });
}

TEST(Isolations, EndProcessesWithKistWithoutNamespacesToo) {
  ScratchDirectory area = std::move(*ScratchDirectory::make(test_area(), "kist-directory-test-"));
  pid_t owner = ::fork();
  if (owner == 0) {
    ::setenv("KIST_ISOLATION", "directory", 1);
    auto own = Launcher::start();
    Layout layout;
    layout.scratch = area.path();
    auto sandbox = (*own)->open(layout);
    Command command;
    command.arguments = {"sh", "-c", "trap '' TERM HUP; setsid sleep 16180339 & (sleep 16180339 &) ; sleep 16180339"};
    command.environment = {"PATH=/usr/bin:/bin"};
    (void)(*sandbox)->start(command);
    ::pause();
    ::_exit(0);
  }
  auto count = [] {
    int found = 0;
    for (const auto& entry : fs::directory_iterator("/proc"))
      if (auto line = read_file(entry.path() / "cmdline");
          line && line->starts_with(std::string("sleep\0", 6) + "1618"))
        ++found;
    return found;
  };
  for (int i = 0; i < 500 && count() < 3; ++i) ::usleep(10'000);
  EXPECT_EQ(count(), 3);
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  for (int i = 0; i < 500 && count() > 0; ++i) ::usleep(10'000);
  EXPECT_EQ(count(), 0);
}

// Who keeps KIST_HOME where no overlay can write gets what the file system allows, or hears what to change.
TEST(Isolations, SayWhatIsInTheWay) {
  in_own_process([&] {
    if (::geteuid() == 0) become(kStranger);
    ::setenv("KIST_ISOLATION", "root", 1);
    auto own = Launcher::start();
    EXPECT_EQ((*own)->isolation(), Isolation::directory);
    EXPECT_NE((*own)->limits().front().find("does not run as root"), std::string::npos);
  });
}

}  // namespace
}  // namespace kist::sandbox
