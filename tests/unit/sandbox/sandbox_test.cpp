// The sandbox as its callers see it. The whole suite runs as who started it; where that is root, a last test runs it
// again as an ordinary user (ordinary_user_test.cpp).
#include "sandbox/sandbox.hpp"

#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "sandbox/host.hpp"
#include "sandbox/sandbox_fixture.hpp"

namespace kist::sandbox {
namespace {

struct Environment : testing::Environment {
  void SetUp() override { launcher(); }
  void TearDown() override { (void)remove_tree(test_area() / "kist-sandbox-test-cache"); }
};
const auto* const kEnvironment = testing::AddGlobalTestEnvironment(new Environment);

TEST_F(SandboxTest, WritesNothingToTheHost) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  Ran ran = run(
      *sandbox,
      "echo x > /etc/kist-test && echo y > /usr/bin/kist-test && cat /etc/kist-test /usr/bin/kist-test; "
      "ls -A /tmp /var/tmp /mnt /argo; stat -c %a /tmp /var/tmp; rm /etc/hostname && cat /etc/hostname 2>/dev/null");
  EXPECT_EQ(ran.output, "x\ny\n/argo:\n\n/mnt:\n\n/tmp:\n\n/var/tmp:\n1777\n1777\n");
  EXPECT_FALSE(fs::exists("/etc/kist-test"));
  EXPECT_FALSE(fs::exists("/usr/bin/kist-test"));
  EXPECT_TRUE(fs::exists("/etc/hostname"));
}

TEST_F(SandboxTest, HasPrivateDirectoriesSideBySide) {
  auto first = open();
  layout.scratch = new_scratch();
  auto second = open();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(run(*first, "echo one > /tmp/file").ended.exit_code, 0);
  EXPECT_EQ(run(*second, "test ! -e /tmp/file && echo two > /tmp/file").ended.exit_code, 0);
  EXPECT_EQ(run(*first, "cat /tmp/file").output, "one\n");
}

TEST_F(SandboxTest, HidesItsHome) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "cat " + (home / "secret").string() + " /proc/1/root" + (home / "secret").string())
                .output.find("secret\n"),
            std::string::npos);
  EXPECT_EQ(run(*sandbox, "test -e " + home.string()).ended.exit_code, 1);
}

TEST_F(SandboxTest, ShowsVisibleDirectoriesBelowFreshOnesCopyOnWrite) {
  ScratchDirectory project = std::move(*ScratchDirectory::make("/tmp", "kist-project-"));
  std::ofstream(project.path() / "file") << "project\n";
  fs::create_directory(project.path() / "output");
  std::ofstream(project.path() / "output/old") << "old";
  layout.visible = {project.path()};
  layout.fresh.push_back(project.path() / "output");
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  Ran ran = run(*sandbox, "cd " + project.path().string() +
                              " && cat file && echo changed > file && ls output && echo new > output/new");
  EXPECT_EQ(ran.output, "project\n");
  EXPECT_EQ(*read_file(project.path() / "file"), "project\n");
  auto found = sandbox->find(project.path() / "output");
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->owned.native().starts_with(layout.scratch.native()));
  EXPECT_TRUE(fs::exists(found->owned / "new"));
}

TEST_F(SandboxTest, MountsPrivateCopiesAndReadOnlyInputs) {
  fs::path input = area.path() / "in:put, with \\ odd\nname";
  fs::create_directory(input);
  std::ofstream(input / "file") << "input\n";
  layout.mounts = {{Mount::Kind::private_copy, input, "/data/tree"},
                   {Mount::Kind::private_copy, input / "file", "/bin/tool"},
                   {Mount::Kind::read_only, input, "/data/fixed"}};
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(
      run(*sandbox,
          "cat /data/tree/file /bin/tool /usr/bin/tool; echo x > /data/tree/file; echo y > /bin/tool; cat /bin/tool")
          .output,
      "input\ninput\ninput\ny\n");
  EXPECT_NE(run(*sandbox, "echo z > /data/fixed/file").ended.exit_code, 0);
  EXPECT_NE(run(*sandbox, "mount -o remount,rw /data/fixed").ended.exit_code, 0);
  EXPECT_EQ(*read_file(input / "file"), "input\n");
}

TEST_F(SandboxTest, TellsHowProcessesEnd) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "exit 3").ended.exit_code, 3);
  Ended killed = run(*sandbox, "kill -TERM $$").ended;
  EXPECT_EQ(killed.signal, SIGTERM);
  EXPECT_EQ(killed.exit_code, 143);
  Command command;
  command.arguments = {"no-such-program"};
  EXPECT_EQ(sandbox->start(command).error().kind, ErrorKind::not_found);
  command.arguments = {"/etc/passwd"};
  EXPECT_EQ(sandbox->start(command).error().kind, ErrorKind::denied);
  command.arguments = {"true"};
  command.working_directory = "/nowhere";
  EXPECT_EQ(sandbox->start(command).error().kind, ErrorKind::invalid);
}

TEST_F(SandboxTest, WaitsNoLongerThanAskedAndSignalsSessions) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  Command command;
  command.arguments = {"sh", "-c", "sleep 100 & sleep 100"};
  command.environment = {"PATH=/usr/bin:/bin"};
  auto process = sandbox->start(command);
  ASSERT_TRUE(process);
  auto waited = sandbox->wait(*process, 50ms);
  ASSERT_TRUE(waited);
  EXPECT_FALSE(waited->has_value());
  ASSERT_TRUE(sandbox->signal(*process, SIGTERM));
  EXPECT_EQ((*sandbox->wait(*process))->signal, SIGTERM);
}

TEST_F(SandboxTest, FindsWhatIsOwnedAndWhatIsMerged) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  run(*sandbox,
      "mkdir -p /tmp/d /opt/new/deep && echo big > /tmp/d/file && echo x > /opt/new/file; echo y >> /etc/hostname; "
      "ln -s /tmp/d /tmp/link");
  ASSERT_TRUE(sandbox->quiesce());
  EXPECT_FALSE(sandbox->find("/tmp/d")->owned.empty());
  EXPECT_FALSE(sandbox->find("/tmp/link/file")->owned.empty());
  EXPECT_FALSE(sandbox->find("/opt/new")->owned.empty());
  EXPECT_TRUE(sandbox->find("/etc")->owned.empty());
  EXPECT_TRUE(sandbox->find("/usr/bin")->owned.empty());
  EXPECT_EQ(sandbox->find("/tmp/nothing").error().kind, ErrorKind::not_found);
  fs::path kept = sandbox->find("/tmp/d")->owned;
  ASSERT_TRUE(sandbox->close());
  EXPECT_EQ(*read_file(kept / "file"), "big\n");
}

TEST_F(SandboxTest, CanBeWrittenBetweenProcesses) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(sandbox->make_directories("/opt/a/b"));
  auto file = sandbox->open_inside("/opt/a/b/file", O_WRONLY | O_CREAT, 0644);
  ASSERT_TRUE(file) << file.error().text;
  ASSERT_TRUE(write_all(file->get(), "text\n", "file"));
  ASSERT_TRUE(
      sandbox->make_directories("/bin/kist-test"));  // where /bin is a link, it leads where it leads for the task
  EXPECT_EQ(run(*sandbox, "cat /opt/a/b/file; ls -d /usr/bin/kist-test").output, "text\n/usr/bin/kist-test\n");
}

TEST_F(SandboxTest, RefusesPathsThatAreNotPlain) {
  layout.files = {{"/tmp/../etc/passwd", "x"}};
  EXPECT_EQ(launcher().open(layout).error().kind, ErrorKind::invalid);
  layout.files = {};
  layout.mounts = {{Mount::Kind::read_only, "/no/such/thing", "/x"}};
  EXPECT_EQ(launcher().open(layout).error().kind, ErrorKind::not_found);
}

// How many processes have a text in one of their files in /proc.
int count_processes(const char* file, const std::string& text) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    auto content = read_file(entry.path() / file);
    if (content && content->find(text) != std::string::npos) ++count;
  }
  return count;
}

// What kist starts must not outlive it, whatever way it ends.
TEST_F(SandboxTest, LeavesNothingBehindAfterKill9) {
  std::string marker = "31415926";
  pid_t owner = ::fork();
  if (owner == 0) {
    auto own = Launcher::start();
    auto sandbox = (*own)->open(layout);
    Command command;
    command.arguments = {
        "sh", "-c", "trap '' TERM HUP INT; setsid sleep " + marker + " & (sleep " + marker + " &) ; sleep " + marker};
    command.environment = {"PATH=/usr/bin:/bin"};
    (void)(*sandbox)->start(command);
    ::pause();
    ::_exit(0);
  }
  int seen = 0;
  for (int i = 0; i < 200 && seen < 3; ++i, ::usleep(20'000)) seen = count_processes("cmdline", marker);
  ASSERT_GE(seen, 3);
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  for (int i = 0; i < 200 && count_processes("cmdline", marker) > 0; ++i) ::usleep(20'000);
  EXPECT_EQ(count_processes("cmdline", marker), 0);
  EXPECT_EQ(count_processes("mountinfo", layout.scratch.filename()), 0);
}

TEST_F(SandboxTest, IsOneFileSystemToTheTask) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  // rename(2), which mv does without where it must.
  EXPECT_EQ(run(*sandbox, "echo x > /tmp/a; perl -e 'rename(\"/tmp/a\", \"/mnt/b\") or die $!' && cat /mnt/b").output,
            "x\n");
}

TEST_F(SandboxTest, KeepsTheHostOutOfReach) {
  fs::path input = area.path() / "input";
  fs::create_directory(input);
  write_file(input / "file", "input\n");
  layout.mounts = {{Mount::Kind::read_only, input, "/data"}};
  layout.as_root = true;
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  for (const char* attack : {
           "echo x > /data/file",
           "mount -o remount,rw /data",
           "mount -t tmpfs none /mnt",
           "umount /data",
           "unshare -m mount -o remount,rw,bind /data",
           "unshare -Ur --map-root-user -m mount -o remount,rw,bind /data",
           "nsenter -t 1 -m mount -o remount,rw /data",
           "echo x > /proc/sys/kernel/hostname",
           "echo x > /proc/sys/kernel/core_pattern",
           "mknod /tmp/disk b 254 0",
           "rm /dev/null",
           "touch /dev/kist-test",
           "touch /sys/kernel/kist-test",
           "grep -z KIST_TEST_AREA /proc/1/environ",
           "ls /proc/1/fd/9/..",
       })
    EXPECT_NE(run(*sandbox, attack).ended.exit_code, 0) << attack;
  EXPECT_EQ(*read_file(input / "file"), "input\n");
}

TEST_F(SandboxTest, GivesTheTaskItsControlSocketAndFiles) {
  FileDescriptor listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  layout.control_socket = area.path() / "task.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, layout.control_socket.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listening.get(), 1), 0);
  layout.files = {{"/argo/staging/script", "echo from script\n", 0755},
                  {"/etc/kist-test/new", std::string(100'000, 'x')}};
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(\"/.kist/task.sock\") or die $!'").output,
            "");
  EXPECT_EQ(
      run(*sandbox, "sh /argo/staging/script; stat -c %a /argo/staging/script; wc -c < /etc/kist-test/new").output,
      "from script\n755\n100000\n");
}

TEST_F(SandboxTest, HidesItsHomeBelowMounts) {
  fs::path project = area.path() / "project";
  fs::create_directories(project / ".kist/scratch");
  write_file(project / ".kist/secret", "secret\n");
  write_file(project / "file", "file\n");
  layout.scratch = project / ".kist/scratch";
  layout.hidden = {project / ".kist", "/copy/.kist"};
  layout.mounts = {{Mount::Kind::private_copy, project, "/copy"},
                   {Mount::Kind::read_only, project, "/fixed"},
                   {Mount::Kind::shared, project, "/shared"}};
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "cat /copy/file /fixed/file /shared/file; cat " + project.string() + "/file").output,
            "file\nfile\nfile\nfile\n");
  EXPECT_EQ(
      run(*sandbox, "cat /copy/.kist/* /fixed/.kist/* /shared/.kist/* " + project.string() + "/.kist/* 2>/dev/null")
          .output,
      "");
}

TEST_F(SandboxTest, TakesLargeFilesFromScratch) {
  std::string content(1 << 20, 'l');
  fs::path input = area.path() / "large";
  write_file(input, content);
  layout.mounts = {{Mount::Kind::private_copy, input, "/tmp/in"}};
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  EXPECT_TRUE(sandbox->find("/tmp/in")->owned.empty());
  EXPECT_EQ(run(*sandbox, "cat /tmp/in /tmp/in > /tmp/out; echo more >> /tmp/in").ended.exit_code, 0);
  EXPECT_EQ(fs::file_size(input), content.size());
  ASSERT_TRUE(sandbox->quiesce());
  fs::path owned = sandbox->find("/tmp/out")->owned;
  fs::path changed = sandbox->find("/tmp/in")->owned;
  EXPECT_TRUE(sandbox->find("/tmp")->owned.empty()) << "something is mounted in it";
  ASSERT_TRUE(sandbox->close());
  fs::create_hard_link(owned, area.path() / "kept");
  EXPECT_EQ(fs::file_size(area.path() / "kept"), 2 * content.size());
  EXPECT_EQ(fs::file_size(changed), content.size() + 5);
}

TEST_F(SandboxTest, TellsOfCores) {
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  auto pattern = read_file("/proc/sys/kernel/core_pattern");
  if (limit.rlim_max == 0 || !pattern || pattern->starts_with('|')) GTEST_SKIP() << "this machine keeps no core files";
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  Ended ended = run(*sandbox, "ulimit -c unlimited; kill -ABRT $$", "/tmp").ended;
  EXPECT_EQ(ended.signal, SIGABRT);
  EXPECT_EQ(ended.exit_code, 134);
  EXPECT_TRUE(ended.core_dumped);
}

TEST_F(SandboxTest, SignalsWhatASessionHoldsAndNothingElse) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  Command command;
  command.environment = {"PATH=/usr/bin:/bin"};
  command.arguments = {"sleep", "1000"};
  auto other = sandbox->start(command);
  // A child in a process group of its own, as shells make them.
  command.arguments = {"perl", "-e", "if (!fork) { setpgrp; sleep 1000; exit } waitpid(-1, 0)"};
  auto leader = sandbox->start(command);
  ASSERT_TRUE(other && leader);
  // Both processes of the session have to be there.
  for (int i = 0; i < 500 && run(*sandbox, "ps -eo args | grep -c '^[p]erl'").output != "2\n"; ++i) ::usleep(10'000);
  ASSERT_TRUE(sandbox->signal(*leader, SIGTERM));
  EXPECT_EQ((*sandbox->wait(*leader))->signal, SIGTERM);
  for (int i = 0; i < 500 && run(*sandbox, "ps -eo args | grep -c '^[p]erl'").output != "0\n"; ++i) ::usleep(10'000);
  EXPECT_EQ(run(*sandbox, "ps -eo args | grep -c '^[p]erl'").output, "0\n");
  EXPECT_FALSE((*sandbox->wait(*other, 0ms)).has_value());
  ASSERT_TRUE(sandbox->signal_all(SIGKILL));
  EXPECT_EQ((*sandbox->wait(*other))->signal, SIGKILL);
  EXPECT_EQ((*sandbox->wait(*other))->signal, SIGKILL) << "asked again";
  EXPECT_TRUE(sandbox->signal(*other, SIGTERM)) << "it has ended";
}

// Above all the two that the C library hides: whoever started kist by posix_spawn() has had it ignore them.
TEST_F(SandboxTest, HasNoSignalIgnoredHoweverKistWasStarted) {
  in_own_process([this] {
    std::array<unsigned long, 4> ignored{reinterpret_cast<unsigned long>(SIG_IGN)};  // the kernel's struct sigaction
    for (int number : {SIGINT, SIGPIPE, SIGRTMIN, __SIGRTMIN, __SIGRTMIN + 1})
      ASSERT_EQ(::syscall(SYS_rt_sigaction, number, ignored.data(), nullptr, NSIG / 8), 0);
    auto own = std::move(*Launcher::start());
    auto sandbox = open(layout, *own);
    ASSERT_TRUE(sandbox);
    EXPECT_EQ(run(*sandbox, "grep SigIgn /proc/self/status").output, "SigIgn:\t0000000000000000\n");
  });
}

TEST_F(SandboxTest, ServesManyThreads) {
  std::vector<Layout> layouts(12, layout);
  for (Layout& one : layouts) one.scratch = new_scratch();
  std::vector<std::jthread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = static_cast<std::size_t>(t); i < layouts.size(); i += 4) {
        auto sandbox = open(layouts[i]);
        if (sandbox && run(*sandbox, "echo $$ > /tmp/f && cat /tmp/f && exit 7").ended.exit_code == 7) ++right;
      }
    });
  threads.clear();
  EXPECT_EQ(right, 12);
}

TEST_F(SandboxTest, EndsWithItsInit) {
  auto sandbox = open();
  ASSERT_TRUE(sandbox);
  Command command;
  command.environment = {"PATH=/usr/bin:/bin"};
  command.arguments = {"sleep", "1000"};
  auto process = sandbox->start(command);
  ASSERT_TRUE(process);
  ASSERT_TRUE(sandbox->close());
  EXPECT_EQ((*sandbox->wait(*process))->signal, SIGKILL);
  EXPECT_EQ(sandbox->start(command).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(sandbox->find("/tmp").error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(sandbox->close());
}

// ---- what needs mounts of its own on the host

class HostMountsTest : public SandboxTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can mount";
    SandboxTest::SetUp();
  }

  // A process whose host has more mounts than this one's.
  template <typename Body>
  void with_mounts(const Body& body) {
    in_own_process([&] {
      ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
      // In a chroot the root is no mount, and cannot be made private: what is mounted below it stays in here anyway
      // where its mount was made so.
      ASSERT_TRUE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 || errno == EINVAL);
      body();
    });
  }
};

TEST_F(HostMountsTest, ShowsMountedFileSystemsCopyOnWrite) {
  with_mounts([&] {
    fs::path disk = area.path() / "disk";
    fs::create_directory(disk);
    ASSERT_EQ(::mount("none", disk.c_str(), "tmpfs", 0, nullptr), 0);
    write_file(disk / "file", "on disk\n");
    fs::create_directory(disk / "inner");
    ASSERT_EQ(::mount("none", (disk / "inner").c_str(), "tmpfs", 0, nullptr), 0);
    write_file(disk / "inner/file", "inner\n");
    auto own = Launcher::start();
    auto sandbox = open(layout, **own);
    ASSERT_TRUE(sandbox);
    std::string at = disk.string();
    EXPECT_EQ(
        run(*sandbox, "cat " + at + "/file " + at + "/inner/file; echo new > " + at + "/file; cat " + at + "/file")
            .output,
        "on disk\ninner\nnew\n");
    EXPECT_EQ(*read_file(disk / "file"), "on disk\n");
    sandbox.reset();
    // What is mounted later is seen by the next sandbox.
    fs::path late = area.path() / "late";
    fs::create_directory(late);
    ASSERT_EQ(::mount("none", late.c_str(), "tmpfs", 0, nullptr), 0);
    write_file(late / "file", "late\n");
    layout.scratch = new_scratch();
    sandbox = open(layout, **own);
    ASSERT_TRUE(sandbox);
    EXPECT_EQ(run(*sandbox, "cat " + late.string() + "/file").output, "late\n");
  });
}

TEST_F(HostMountsTest, ShowsWhatIsMountedBelowAVisibleDirectory) {
  with_mounts([&] {
    ScratchDirectory project = std::move(*ScratchDirectory::make("/tmp", "kist-project-"));
    fs::create_directory(project.path() / "data");
    ASSERT_EQ(::mount("none", (project.path() / "data").c_str(), "tmpfs", 0, nullptr), 0);
    write_file(project.path() / "data/file", "data\n");
    layout.visible = {project.path()};
    auto own = Launcher::start();
    auto sandbox = open(layout, **own);
    ASSERT_TRUE(sandbox);
    EXPECT_EQ(run(*sandbox, "cat data/file; echo x > data/new; ls /tmp | wc -l", project.path()).output, "data\n1\n");
    EXPECT_FALSE(fs::exists(project.path() / "data/new"));
    ::umount((project.path() / "data").c_str());
  });
}

TEST_F(HostMountsTest, HidesItsHomeUnderItsOtherNames) {
  auto table = parse_mount_table(*read_file("/proc/self/mountinfo"));
  if (std::ranges::find(table, "/", &MountPoint::path) == table.end())
    GTEST_SKIP() << "in a chroot the mount table does not tell where the root lies";
  with_mounts([&] {
    fs::path other = area.path() / "other";
    fs::path part = area.path() / "part";
    for (const fs::path& path : {other, part}) fs::create_directory(path);
    fs::create_directory(home / "inner");
    write_file(home / "inner/secret", "secret");
    write_file(area.path() / "beside", "");
    ASSERT_EQ(::mount(area.path().parent_path().c_str(), other.c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(::mount((home / "inner").c_str(), part.c_str(), nullptr, MS_BIND, nullptr), 0);
    auto own = Launcher::start();
    auto sandbox = open(layout, **own);
    ASSERT_TRUE(sandbox);
    const std::string seen = (other / area.path().filename()).string();
    EXPECT_EQ(run(*sandbox,
                  "find " + seen + " " + part.string() + " -name secret 2>/dev/null | wc -l; ls " + seen + "/beside")
                  .output,
              "0\n" + seen + "/beside\n");
  });
}

TEST_F(HostMountsTest, AnswersOnTheHostsSocketsBelowRun) {
  FileDescriptor listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::string path = "/run/kist-test-" + std::to_string(::getpid()) + ".sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listening.get(), 1), 0);
  in_own_process([&] {
    auto own = Launcher::start();
    auto sandbox = open(layout, **own);
    ASSERT_TRUE(sandbox);
    EXPECT_EQ(run(*sandbox, "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(\"" + path +
                                "\") or die $!'; touch /run/kist-test-file && mkdir /run/kist-test-dir")
                  .output,
              "");
    EXPECT_FALSE(fs::exists("/run/kist-test-file"));
  });
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace kist::sandbox
