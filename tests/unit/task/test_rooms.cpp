// A room that is kept must be of no account to the next task.
#include <sys/socket.h>
#include <sys/un.h>

#include "task/control.hpp"
#include "task/performing.hpp"

namespace kist::task::test {
namespace {

namespace fs = std::filesystem;

class KeptRooms : public Performing {
 protected:
  // The directories of the rooms there are now.
  std::set<fs::path> rooms() const {
    std::set<fs::path> found;
    for (const auto& entry : fs::directory_iterator(home() / "scratch")) found.insert(entry.path());
    return found;
  }
  void perform_one(std::string script) {
    next_task();
    add(shell(std::move(script)));
    EXPECT_EQ(perform().state, model::State::succeeded) << heard_.error();
  }
};

TEST_F(KeptRooms, AreKeptByTasksThatWriteNothing) {
  perform_one("true");
  auto kept = rooms();
  EXPECT_EQ(kept.size(), 1U);
  perform_one("echo hello");
  EXPECT_EQ(heard_.output(), "hello\n");
  EXPECT_EQ(rooms(), kept);
}

TEST_F(KeptRooms, AreNotKeptByTasksThatWrite) {
  perform_one("echo x > /tmp/file");
  EXPECT_TRUE(rooms().empty());
  perform_one("test ! -e /tmp/file");
}

TEST_F(KeptRooms, ServeOnlyTheirOwnLayout) {
  perform_one("true");
  auto kept = rooms();
  next_task();
  document_.task.fresh_directories = {text("/opt")};
  add(shell("ls -A /opt"));
  EXPECT_EQ(perform().state, model::State::succeeded);
  EXPECT_EQ(heard_.output(), "");
  EXPECT_EQ(rooms().size(), 2U);
}

// What a task has sent to its control socket, and nobody read before it ended, is not the next task's.
TEST_F(KeptRooms, ForgetRequestsOfTheTaskBefore) {
  auto listener = listen_at(home() / "scratch/sock");
  ASSERT_TRUE(listener);
  sockaddr_un address{AF_UNIX, {}};
  std::strcpy(address.sun_path, (home() / "scratch/sock").c_str());
  FileDescriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  refuse_waiting(listener->get());
  char byte = 0;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 0);
  fs::remove(home() / "scratch/sock");
}

TEST_F(KeptRooms, LetTheNextTaskSpeakToItsOwnKist) {
  std::string publish =
      "python3 - <<'E'\nimport os, socket\ns = socket.socket(socket.AF_UNIX)\ns.connect(os.environ['KIST_TASK'])\n"
      "s.sendall(b'{\"do\":\"report\",\"text\":\"here\"}\\n')\ns.recv(100)\nE";
  perform_one("true");
  auto kept = rooms();
  perform_one(publish);
  EXPECT_EQ(heard_.progress(), "here");
  EXPECT_EQ(rooms(), kept);
}

}  // namespace
}  // namespace kist::task::test
