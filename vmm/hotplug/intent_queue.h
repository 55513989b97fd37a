// What the guest did to the hotplug registers, on its way from vCPU threads to the machine thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "tidevm/ids.h"
#include "tidevm/mailbox.h"

namespace tidevm::hotplug {

enum class IntentKind {
  kInsertAcknowledged,  ///< the guest cleared the insert event
  kRemoveAcknowledged,  ///< the guest cleared the remove event
  kEjected,             ///< the guest ejected a CPU that it was asked to give up
  kOst,                 ///< the guest reported through _OST
};

struct Intent {
  IntentKind kind = IntentKind::kOst;
  CpuId cpu = 0;
  std::uint32_t ost_event = 0;   // kOst only
  std::uint32_t ost_status = 0;  // kOst only
  /// When the guest did it.
  std::chrono::steady_clock::time_point when = std::chrono::steady_clock::now();
};

/// A guest can write as many _OST reports as it likes; above this many waiting intents they are
/// dropped. The other kinds answer to a request of the host, one each.
inline constexpr std::size_t kMostWaitingOst = 1024;

using IntentQueue = Mailbox<Intent>;

}  // namespace tidevm::hotplug
