// What the tests of bare-metal guests share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "guest-tests/harness/assert_ok.h"
#include "guest-tests/harness/guest_vm.h"

namespace tidevm::guest_tests {

/// One VM a test. The case that the guest runs is called like the test. Guest and test talk in
/// lines over the serial port (runtime/serial.h); a guest that has FAILed ends whatever is waited
/// for. At the end of a test that passed so far, `quit` must still end the VM.
class BareMetalTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Starts build/.../bare-metal/GUEST.
  Result<void> Start(const std::string& guest, VmSettings settings);

  /// What the guest says next.
  Result<std::string> NextWord();
  /// Waits for the guest's next words, which must be these.
  Result<void> Says(std::string_view words);
  Result<void> Passes() { return Says("PASS"); }
  /// A line to the guest.
  Result<void> Tell(const std::string& line);

  /// Starts the operation, and gives its id.
  Result<std::uint64_t> Plug(CpuId cpu, std::optional<int> timeout_ms = {});
  Result<std::uint64_t> Unplug(CpuId cpu, std::optional<int> timeout_ms = {});
  /// Waits for its end.
  Result<OperationEnd> End(std::uint64_t operation);
  /// The same, and "done" is what it must end with.
  Result<OperationEnd> Done(std::uint64_t operation);
  /// As far as it has come now.
  Result<Json> Operation(std::uint64_t id);
  /// Of query-vcpus.
  Result<Json> Vcpu(CpuId cpu);
  /// The control socket answers, and the machine runs.
  Result<void> Answers();
  /// `quit`: the VM ends with status 0.
  Result<void> Quit();

  /// A guest that does nothing but reset itself: the host goes on to answer, loses nothing, and
  /// after the first few gives it new lives at a pace that nobody is drowned by.
  void ExpectResetsAtAPace();

  /// Once they all have their names, which they give themselves: here a guest can be ready before
  /// the thread of a vCPU that it does not wake has run at all, and nothing tells of that.
  std::string threads() const;
  /// Resident memory of the VMM, without the guest's.
  std::uint64_t resident_kib() const;
  /// Lines of the VMM's log that have `text` in them.
  std::size_t LogLinesWith(std::string_view text) const;

  std::unique_ptr<GuestVm> vm_;

 private:
  Result<std::uint64_t> SetOne(CpuId cpu, bool wanted, std::optional<int> timeout_ms);
};

bool Reached(const OperationEnd& operation, std::string_view phase);

}  // namespace tidevm::guest_tests
