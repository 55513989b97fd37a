#include "firmware/dsdt.h"

#include <cstdint>
#include <utility>

#include "firmware/acpi_config.h"
#include "firmware/aml.h"
#include "firmware/aml_resources.h"
#include "firmware/bytes.h"
#include "firmware/cpu_hotplug_aml.h"
#include "firmware/device_status.h"
#include "firmware/table.h"
#include "tidevm/guest_layout.h"

namespace tidevm::firmware {
namespace {

using aml::Arg;
using aml::Device;
using aml::EisaId;
using aml::Field;
using aml::If;
using aml::IfElse;
using aml::Integer;
using aml::Interrupt;
using aml::Io;
using aml::LEqual;
using aml::Method;
using aml::Name;
using aml::Notify;
using aml::OperationRegion;
using aml::Path;
using aml::Ref;
using aml::ResourceTemplate;
using aml::String;
using aml::Term;
using aml::Trigger;

constexpr std::uint8_t kRevision = 2;  // 2 or later: integers have 64 bits
constexpr Path kPowerButton = "\\_SB.PWRB";

/// The event source. Its lines are level-triggered: an event that came before the guest unmasked
/// the line is not lost. One _EVT rather than _Lxx: Linux hands the GSI to either, and says "excess
/// arguments" of a method that does not take one.
Term GenericEventDevice() {
  constexpr Path kPowerRegion = "PREG";
  constexpr Path kPressed = "PBTN";  // reading it clears it
  constexpr std::uint64_t kPressedNotification = 0x80;
  return Device(
      "\\_SB.GED",
      {
          Name("_HID", String("ACPI0013")),
          Name("_UID", Integer(0)),
          Name("_CRS", ResourceTemplate({Interrupt(Trigger::kLevel, layout::kCpuHotplugGsi),
                                         Interrupt(Trigger::kLevel, layout::kPowerButtonGsi)})),
          OperationRegion(kPowerRegion, aml::Space::kSystemIo,
                          layout::kPowerPort + layout::kPowerButtonOffset, 1),
          Field(kPowerRegion, aml::Access::kByte, aml::Update::kWriteAsZeros,
                {aml::FieldUnit::Named(kPressed, 8)}),
          Method(
              "_EVT", 1, aml::Sync::kNotSerialized,
              {IfElse(LEqual(Arg(0), Integer(layout::kCpuHotplugGsi)), {aml::Call(kCpuScanMethod)},
                      {If(LEqual(Arg(0), Integer(layout::kPowerButtonGsi)),
                          {If(LEqual(Ref(kPressed), Integer(1)),
                              {Notify(kPowerButton, Integer(kPressedNotification))})})})}),
      });
}

Term PowerButton() { return Device(kPowerButton, {Name("_HID", EisaId("PNP0C0C"))}); }

/// Edge-triggered, as on a PC: the driver reads until nothing is pending.
Term Uart() {
  return Device("\\_SB.COM1",
                {
                    Name("_HID", EisaId("PNP0501")),
                    Name("_UID", Integer(1)),
                    Name("_DDN", String("COM1")),
                    Name("_CRS", ResourceTemplate({Io(layout::kUartPort, 8),
                                                   Interrupt(Trigger::kEdge, layout::kUartGsi)})),
                });
}

/// QEMU docs/specs/pvpanic.rst.
Term Pvpanic() {
  return Device("\\_SB.PEVT", {
                                  Name("_HID", String("QEMU0001")),
                                  Name("_CRS", ResourceTemplate({Io(layout::kPvpanicPort, 1)})),
                                  Name("_STA", Integer(kPresentAndWorking)),
                              });
}

/// ACPI 6.4, 7.4.2.6: the first element goes into SLP_TYP of the sleep control register.
Term SoftOff() {
  return Name("\\_S5",
              aml::Package({Integer(layout::kSleepTypeS5), Integer(0), Integer(0), Integer(0)}));
}

}  // namespace

Bytes BuildDsdt(const AcpiConfig& config) {
  Table dsdt("DSDT", kRevision);
  dsdt.Append(CpuHotplugDevice(config.cpus).bytes());
  dsdt.Append(PowerButton().bytes());
  dsdt.Append(GenericEventDevice().bytes());
  dsdt.Append(Uart().bytes());
  if (config.pvpanic) {
    dsdt.Append(Pvpanic().bytes());
  }
  dsdt.Append(SoftOff().bytes());
  return std::move(dsdt).Finish();
}

}  // namespace tidevm::firmware
