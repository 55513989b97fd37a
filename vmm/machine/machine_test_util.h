// A whole machine over a KVM that pretends, with a guest that does what the ACPI methods do.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "vmm/control/qmp_test_util.h"
#include "vmm/kvm/fake_kvm.h"
#include "vmm/machine/machine.h"

namespace tidevm::machine {

/// Scans while the hotplug interrupt's line is high, as CSCN does, and gives every request what it
/// asks for: it reports an added CPU as registered, and ejects the one that is wanted back.
class ObedientGuest final : public kvm::FakeGuest {
 public:
  explicit ObedientGuest(const kvm::FakeKvm& kvm) : kvm_(kvm) {}

  std::optional<kvm::PortAccess> Next() override;
  void Take(std::uint32_t value) override;

 private:
  void Write(std::uint16_t offset, std::uint8_t width, std::uint32_t value);
  void Read(std::uint16_t offset, std::uint8_t width);
  void Scan();
  void Serve(std::uint32_t cpu);
  void ReportOst(std::uint32_t event, std::uint32_t status);

  const kvm::FakeKvm& kvm_;
  std::deque<kvm::PortAccess> next_;
  bool reading_data_ = false;  // the next read is of the command data, not of the flags
  std::uint8_t event_ = 0;     // the flag that is being served
};

/// Runs on a thread of its own until it goes out of scope. Should it hang, the whole program ends,
/// failed: there is nothing to be done about a thread that waits for ever.
class RunningMachine {
 public:
  explicit RunningMachine(const std::string& cpus);
  RunningMachine(const RunningMachine&) = delete;
  RunningMachine& operator=(const RunningMachine&) = delete;
  ~RunningMachine();

  kvm::FakeKvm& kvm() { return kvm_; }
  const std::string& socket() const { return socket_; }

 private:
  kvm::FakeKvm kvm_;
  control::TempFolder folder_;
  std::string socket_ = folder_ / "vm.sock";
  std::thread thread_;
  std::future<void> ended_;
};

/// A client that waits for its answers. Events are kept.
class MachineClient {
 public:
  explicit MachineClient(const RunningMachine& machine);

  void Send(const std::string& command, const control::Json& arguments = control::Json::object());
  /// The oldest answer's "return". None within the time that anything may take is a failure of the
  /// test, and null.
  control::Json Answer();
  control::Json Execute(const std::string& command,
                        const control::Json& arguments = control::Json::object());
  /// True: one came for which `is_it` holds. Those before it are gone.
  bool WaitForEvent(const std::function<bool(const control::Json& event)>& is_it);

 private:
  std::optional<control::Json> NextMessage();

  control::Client client_;
  std::deque<control::Json> events_;
};

}  // namespace tidevm::machine
