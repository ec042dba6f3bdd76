// A lease is what a living process is known by.
#include "store/lease.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include "store/fixture.hpp"
#include "store/observers.hpp"

namespace kist::store {
namespace {

class LeaseTest : public StoreTest {};

// Calls back before each file is removed.
class BeforeRemoving final : public os::Observer {
 public:
  explicit BeforeRemoving(std::function<void()> call) : call_(std::move(call)) { os::observe(this); }
  ~BeforeRemoving() override { os::observe(nullptr); }
  int before(os::Operation operation) override {
    if (operation == os::Operation::remove) call_();
    return 0;
  }
  void synced(int) override {}

 private:
  std::function<void()> call_;
};

// Between making its lease and locking it a process looks dead to who sweeps.
TEST_F(LeaseTest, ThatIsBeingTakenIsNotSweptUnderItsOwner) {
  auto directory = StoreDirectory::open(home());
  ASSERT_OK(directory);
  const fs::path lease = home() / "leases/1-taken";
  FileDescriptor owner(::open(lease.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(owner);
  bool asked = false;
  bool taken = false;
  {
    BeforeRemoving before([&] {
      if (std::exchange(asked, true)) return;
      taken = ::flock(owner.get(), LOCK_EX | LOCK_NB) == 0;
    });
    Lease sweeper(*directory);
    ASSERT_OK(sweeper.temporary_name());
  }
  EXPECT_TRUE(asked);
  EXPECT_FALSE(taken && !fs::exists(lease)) << "its owner works, and nobody can see that it lives";
}

}  // namespace
}  // namespace kist::store
