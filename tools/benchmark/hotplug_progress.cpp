#include "tools/benchmark/hotplug_progress.h"

#include "tools/benchmark/guest_lines.h"

namespace tidevm::benchmark {
namespace {

// ACPI 6.4, 6.3.5: of _OST.
constexpr std::int64_t kDeviceCheck = 1;
constexpr std::int64_t kEjectRequest = 3;
constexpr std::int64_t kSuccess = 0;
constexpr std::int64_t kEjectInProgress = 0x84;

void NoteOst(const Ost& ost, const QmpMessage& message, HotplugProgress& progress) {
  if (ost.source == kDeviceCheck && ost.status == kSuccess) {
    progress.registered.Note(message.arrived);
  } else if (ost.source == kEjectRequest && ost.status == kEjectInProgress) {
    progress.in_progress.Note(message.arrived);
  } else if (ost.source == kEjectRequest && ost.status == kSuccess) {
    progress.reported.Note(message.arrived);
  } else {
    progress.failure = "the guest refused: " + message.text;
  }
}

}  // namespace

void HotplugProgress::Note(const QmpMessage& message) {
  if (message.IsError()) {
    failure = message.text;
  } else if (message.IsReturn()) {
    answers.Note(message.arrived);
  } else if (message.IsEvent("DEVICE_DELETED")) {
    deleted.Note(message.arrived);
  } else if (message.IsEvent("VCPU_OPERATION")) {
    if (message.text.find("\"outcome\":\"done\"") != std::string::npos) {
      done.Note(message.arrived);
    } else if (message.text.find("\"outcome\":\"pending\"") == std::string::npos) {
      failure = message.text;
    }
  } else if (const auto ost = ParseOst(message)) {
    NoteOst(*ost, message, *this);
  }
}

void HotplugProgress::Note(const StampedLine& line) {
  if (const auto cpu = ParseOnline(line.text)) {
    online.Note(line.arrived);
    online_took.push_back(cpu->took);
  } else if (ParseRemoved(line.text)) {
    gone.Note(line.arrived);
  } else if (ParseOnlineFailed(line.text)) {
    failure = line.text;
  }
}

}  // namespace tidevm::benchmark
