#include "firmware/cpu_hotplug_aml.h"

#include <cstdint>
#include <iterator>
#include <span>
#include <utility>

#include "firmware/acpi_config.h"
#include "firmware/aml.h"
#include "firmware/device_status.h"
#include "firmware/madt.h"
#include "tidevm/cpu_hotplug_registers.h"
#include "tidevm/ids.h"

namespace tidevm::firmware {
namespace {

using aml::Acquire;
using aml::And;
using aml::Arg;
using aml::Break;
using aml::Buffer;
using aml::Call;
using aml::Device;
using aml::EisaId;
using aml::Field;
using aml::FieldUnit;
using aml::If;
using aml::IfElse;
using aml::Integer;
using aml::LLess;
using aml::Local;
using aml::Method;
using aml::Mutex;
using aml::Name;
using aml::Notify;
using aml::OperationRegion;
using aml::Path;
using aml::Ref;
using aml::Release;
using aml::Return;
using aml::Store;
using aml::String;
using aml::Sync;
using aml::Term;
using aml::Terms;
using aml::While;

// The registers, each a whole field of its own width, so that one read or store is one access.
constexpr Path kRegion = "PRST";
constexpr Path kSelector = "CSEL";
constexpr Path kFlags = "CFLG";
constexpr Path kCommand = "CCMD";
constexpr Path kCommandData = "CDAT";

// Held over each sequence of accesses: the selector and the command belong to the sequence.
constexpr Path kLock = "CPLK";

constexpr Path kStatusMethod = "CSTA";  // (uid)
constexpr Path kEjectMethod = "CEJ0";   // (uid)
constexpr Path kOstMethod = "COST";     // (uid, event, status)
constexpr Path kNotifyMethod = "CTFY";  // (uid, value)

// ACPI 6.4, 5.6.6.
constexpr std::uint64_t kDeviceCheck = 1;
constexpr std::uint64_t kEjectRequest = 3;

Path CpuName(CpuId uid) { return Path::Numbered('C', uid); }

void AddRegisters(Terms& device) {
  using namespace cpu_hotplug;  // NOLINT(google-build-using-namespace): eight constants
  device.push_back(Mutex(kLock));
  device.push_back(OperationRegion(kRegion, aml::Space::kSystemIo, kBasePort, kBlockSize));
  device.push_back(Field(kRegion, aml::Access::kDword, aml::Update::kWriteAsZeros,
                         {FieldUnit::Named(kSelector, 32),
                          FieldUnit::Skip(8 * (kCommandDataOffset - kSelectorOffset) - 32),
                          FieldUnit::Named(kCommandData, 32)}));
  device.push_back(Field(kRegion, aml::Access::kByte, aml::Update::kWriteAsZeros,
                         {FieldUnit::Skip(8 * kFlagsOffset), FieldUnit::Named(kFlags, 8),
                          FieldUnit::Named(kCommand, 8)}));
  static_assert(kCommandOffset == kFlagsOffset + 1);
}

Term StatusMethod() {
  return Method(kStatusMethod, 1, Sync::kNotSerialized,
                {
                    Acquire(kLock),
                    Store(Arg(0), Ref(kSelector)),
                    Store(Ref(kFlags), Local(0)),
                    Release(kLock),
                    If(And(Local(0), Integer(cpu_hotplug::kFlagPresent)),
                       {Return(Integer(kPresentAndWorking))}),
                    Return(Integer(0)),
                });
}

Term EjectMethod() {
  return Method(kEjectMethod, 1, Sync::kNotSerialized,
                {
                    Acquire(kLock),
                    Store(Arg(0), Ref(kSelector)),
                    Store(Integer(cpu_hotplug::kFlagEject), Ref(kFlags)),
                    Release(kLock),
                });
}

Term OstMethod() {
  return Method(kOstMethod, 3, Sync::kNotSerialized,
                {
                    Acquire(kLock),
                    Store(Arg(0), Ref(kSelector)),
                    Store(Integer(cpu_hotplug::kCommandOstEvent), Ref(kCommand)),
                    Store(Arg(1), Ref(kCommandData)),
                    Store(Integer(cpu_hotplug::kCommandOstStatus), Ref(kCommand)),
                    Store(Arg(2), Ref(kCommandData)),
                    Release(kLock),
                });
}

/// Notify takes a name only: ACPICA refuses a reference from a package. So this is a decision tree
/// over [first, last), log2(max) comparisons deep.
Terms NotifyTree(CpuId first, CpuId last) {
  if (last - first == 1) {
    return {Notify(CpuName(first), Arg(1))};
  }
  const CpuId middle = first + (last - first) / 2;
  return {
      IfElse(LLess(Arg(0), Integer(middle)), NotifyTree(first, middle), NotifyTree(middle, last))};
}

Term NotifyMethod(CpuId cpus) {
  return Method(kNotifyMethod, 2, Sync::kNotSerialized,
                {If(LLess(Arg(0), Integer(cpus)), NotifyTree(0, cpus))});
}

/// What CSCN does for the selected CPU. The event is cleared first: that is what makes an added CPU
/// present, and the guest may evaluate _STA as soon as it is notified.
Terms ServeEvent(std::uint8_t event, std::uint64_t notification) {
  return {
      Store(Ref(kCommandData), Local(1)),
      Store(Integer(event), Ref(kFlags)),
      Call(kNotifyMethod, {Local(1), Integer(notification)}),
  };
}

Term ScanMethod() {
  return Method(
      "CSCN", 0, Sync::kNotSerialized,
      {
          Acquire(kLock),
          While(Integer(1),
                {
                    Store(Integer(cpu_hotplug::kCommandNextWithEvent), Ref(kCommand)),
                    Store(Ref(kFlags), Local(0)),
                    IfElse(And(Local(0), Integer(cpu_hotplug::kFlagInsertEvent)),
                           ServeEvent(cpu_hotplug::kFlagInsertEvent, kDeviceCheck),
                           {IfElse(And(Local(0), Integer(cpu_hotplug::kFlagRemoveEvent)),
                                   ServeEvent(cpu_hotplug::kFlagRemoveEvent, kEjectRequest),
                                   {Break()})}),
                }),
          Release(kLock),
      });
}

Term CpuDevice(const CpuEntry& cpu) {
  const Term uid = Integer(cpu.uid);
  Terms device = {
      Name("_HID", String("ACPI0007")),
      Name("_UID", uid),
      Method("_STA", 0, Sync::kNotSerialized, {Return(Call(kStatusMethod, {uid}))}),
      // What the CPU's MADT entry says once it is plugged.
      Name("_MAT", Buffer(MadtCpuEntry(cpu, kMadtEnabled))),
  };
  if (cpu.uid != 0) {
    device.push_back(Method("_EJ0", 1, Sync::kNotSerialized, {Call(kEjectMethod, {uid})}));
  }
  device.push_back(
      Method("_OST", 3, Sync::kNotSerialized, {Call(kOstMethod, {uid, Arg(0), Arg(1)})}));
  return Device(CpuName(cpu.uid), device);
}

}  // namespace

aml::Term CpuHotplugDevice(std::span<const CpuEntry> cpus) {
  Terms device = {
      Name("_HID", String("ACPI0010")),
      Name("_CID", EisaId("PNP0A05")),
  };
  AddRegisters(device);
  device.push_back(StatusMethod());
  device.push_back(EjectMethod());
  device.push_back(OstMethod());
  device.push_back(NotifyMethod(static_cast<CpuId>(cpus.size())));
  device.push_back(ScanMethod());
  for (const CpuEntry& cpu : cpus) {
    device.push_back(CpuDevice(cpu));
  }
  return Device("\\_SB.CPUS", device);
}

}  // namespace tidevm::firmware
