#include "firmware/fadt.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "firmware/bytes.h"
#include "firmware/table.h"
#include "tidevm/guest_layout.h"
#include "tidevm/ids.h"

namespace tidevm::firmware {
namespace {

constexpr std::uint8_t kMajorVersion = 6;
// 3 or later makes Linux honour the Online Capable flag of the MADT.
constexpr std::uint8_t kMinorVersion = 3;

// Offsets of what is not 0. Everything of the PM blocks is, as this is a hardware-reduced machine;
// so are FIRMWARE_CTRL (it needs no FACS) and DSDT (X_DSDT holds it).
constexpr std::size_t kLvl2LatencyOffset = 96;
constexpr std::size_t kLvl3LatencyOffset = 98;
constexpr std::size_t kBootArchOffset = 109;
constexpr std::size_t kFlagsOffset = 112;
constexpr std::size_t kResetRegisterOffset = 116;
constexpr std::size_t kResetValueOffset = 128;
constexpr std::size_t kMinorVersionOffset = 131;
constexpr std::size_t kXDsdtOffset = 140;
constexpr std::size_t kSleepControlOffset = 244;
constexpr std::size_t kSleepStatusOffset = 256;
constexpr std::size_t kHypervisorIdOffset = 268;
constexpr std::size_t kSize = 276;

// 5.2.9.3. Clear: the 8042, and "legacy devices", which are those that ACPI does not describe.
constexpr std::uint16_t kNoVga = 1U << 2;
constexpr std::uint16_t kNoCmosRtc = 1U << 5;

// Table 5-35.
constexpr std::uint32_t kWbinvd = 1U << 0;
constexpr std::uint32_t kProcC1 = 1U << 2;     // HLT works on every CPU
constexpr std::uint32_t kPwrButton = 1U << 4;  // no fixed power button, but \_SB.PWRB
constexpr std::uint32_t kSlpButton = 1U << 5;  // no fixed sleep button
constexpr std::uint32_t kResetRegSup = 1U << 10;
constexpr std::uint32_t kHwReducedAcpi = 1U << 20;

constexpr std::uint16_t kNoC2OrC3 = 0xfff;  // above 100 and 1000 us they do not exist

}  // namespace

Bytes BuildFadt(Gpa dsdt) {
  Table fadt("FACP", kMajorVersion, kSize);
  fadt.Put(kLvl2LatencyOffset, kNoC2OrC3);
  fadt.Put(kLvl3LatencyOffset, kNoC2OrC3);
  fadt.Put(kBootArchOffset, static_cast<std::uint16_t>(kNoVga | kNoCmosRtc));
  fadt.Put(kFlagsOffset,
           kWbinvd | kProcC1 | kPwrButton | kSlpButton | kResetRegSup | kHwReducedAcpi);
  fadt.PutIoPort(kResetRegisterOffset, layout::kPowerPort + layout::kResetOffset);
  fadt.Put(kResetValueOffset, layout::kResetValue);
  fadt.Put(kMinorVersionOffset, kMinorVersion);
  fadt.Put(kXDsdtOffset, dsdt);
  fadt.PutIoPort(kSleepControlOffset, layout::kPowerPort + layout::kSleepControlOffset);
  fadt.PutIoPort(kSleepStatusOffset, layout::kPowerPort + layout::kSleepStatusOffset);
  fadt.PutText(kHypervisorIdOffset, kOemId);
  return std::move(fadt).Finish();
}

}  // namespace tidevm::firmware
