#include "vmm/vcpu/cpuid.h"

#include <algorithm>

namespace tidevm::vcpu {
namespace {

using Entry = kvm_cpuid_entry2;

// Leaf 1.
constexpr std::uint32_t kEcxVmx = 1U << 5;
constexpr std::uint32_t kEcxTscDeadline = 1U << 24;
constexpr std::uint32_t kEcxHypervisor = 1U << 31;
constexpr std::uint32_t kEdxHtt = 1U << 28;
// Leaf 7. A guest has no enclave memory, and would complain of it.
constexpr std::uint32_t kEbxSgx = 1U << 2;
constexpr std::uint32_t kEcxSgxLaunchControl = 1U << 30;
// Leaf 0x80000001.
constexpr std::uint32_t kEcxCmpLegacy = 1U << 1;
constexpr std::uint32_t kEcxSvm = 1U << 2;
constexpr std::uint32_t kEcxTopologyExtensions = 1U << 22;
// Leaf 0xB and 0x1F level types.
constexpr std::uint32_t kLevelThread = 1;
constexpr std::uint32_t kLevelCore = 2;

std::uint32_t WithBits(std::uint32_t value, unsigned shift, std::uint32_t mask,
                       std::uint32_t bits) {
  return (value & ~(mask << shift)) | (std::min(bits, mask) << shift);
}

bool IsAmd(std::span<const Entry> table) {
  const auto leaf0 = std::ranges::find(table, 0U, &Entry::function);
  return leaf0 != table.end() && leaf0->ebx == 0x68747541;  // "Auth"
}

class Builder {
 public:
  Builder(const Topology& topology, CpuId cpu, bool amd, bool tsc_deadline_timer)
      : topology_(topology),
        apic_id_(topology.ApicIdOf(cpu)),
        place_(topology.PlaceOf(cpu)),
        per_package_(topology.cores() * topology.threads()),
        amd_(amd),
        tsc_deadline_timer_(tsc_deadline_timer) {}

  void Adjust(Entry& entry) const {
    switch (entry.function) {
      case 0x1:
        return Leaf1(entry);
      case 0x4:
        return CacheLeaf(entry, true);
      case 0x7:
        if (entry.index == 0) {
          entry.ebx &= ~kEbxSgx;
          entry.ecx &= ~kEcxSgxLaunchControl;
        }
        return;
      case 0x80000001:
        entry.ecx &= ~kEcxSvm;
        if (amd_) {
          // Without this bit Linux looks neither at leaf 0xB nor at 0x8000001E. It needs nothing of
          // the processor: the leaves are ours.
          entry.ecx |= kEcxTopologyExtensions;
        }
        if (amd_ && per_package_ > 1) {
          entry.ecx |= kEcxCmpLegacy;
        }
        return;
      case 0x80000000:
        if (amd_) {
          entry.eax = std::max(entry.eax, 0x8000001eU);
        }
        return;
      case 0x80000008:
        entry.ecx = WithBits(entry.ecx, 0, 0xff, per_package_ - 1);
        entry.ecx = WithBits(entry.ecx, 12, 0xf, topology_.package_bits());
        return;
      case 0x8000001d:
        return CacheLeaf(entry, false);
      default:
        return;
    }
  }

  /// AMD's leaf 0x8000001E whole.
  void AppendAmdTopologyLeaf(std::vector<Entry>& table) const {
    Entry& entry = table.emplace_back();
    entry.function = 0x8000001e;
    entry.eax = apic_id_;
    entry.ebx = WithBits(place_.core & 0xff, 8, 0xff, topology_.threads() - 1);
    entry.ecx = place_.socket & 0xff;  // one node per package
  }

  /// Leaves 0xB and 0x1F whole: threads, cores, end.
  void AppendTopologyLeaf(std::vector<Entry>& table, std::uint32_t function) const {
    Entry thread = Level(function, 0);
    thread.eax = topology_.thread_bits();
    thread.ebx = topology_.threads();
    thread.ecx |= kLevelThread << 8;
    Entry core = Level(function, 1);
    core.eax = topology_.package_bits();
    core.ebx = per_package_;
    core.ecx |= kLevelCore << 8;
    table.insert(table.end(), {thread, core, Level(function, 2)});
  }

 private:
  void Leaf1(Entry& entry) const {
    entry.ebx = WithBits(entry.ebx, 24, 0xff, apic_id_ & 0xff);
    entry.ebx = WithBits(entry.ebx, 16, 0xff, 1U << topology_.package_bits());
    entry.ecx = (entry.ecx & ~kEcxVmx) | kEcxHypervisor;
    entry.ecx = tsc_deadline_timer_ ? entry.ecx | kEcxTscDeadline : entry.ecx & ~kEcxTscDeadline;
    entry.edx = per_package_ > 1 ? entry.edx | kEdxHtt : entry.edx & ~kEdxHtt;
  }

  /// L1 and L2 belong to a core, L3 to a package. Intel counts APIC ids, powers of two.
  void CacheLeaf(Entry& entry, bool intel) const {
    const std::uint32_t type = entry.eax & 0x1f;
    if (type == 0) {
      return;
    }
    const std::uint32_t level = (entry.eax >> 5) & 0x7;
    const std::uint32_t bits = level < 3 ? topology_.thread_bits() : topology_.package_bits();
    entry.eax = WithBits(entry.eax, 14, 0xfff, (1U << bits) - 1);
    if (intel) {
      const std::uint32_t core_bits = topology_.package_bits() - topology_.thread_bits();
      entry.eax = WithBits(entry.eax, 26, 0x3f, (1U << core_bits) - 1);
    }
  }

  Entry Level(std::uint32_t function, std::uint32_t index) const {
    Entry entry{};
    entry.function = function;
    entry.index = index;
    entry.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    entry.ecx = index;
    entry.edx = apic_id_;
    return entry;
  }

  const Topology& topology_;
  ApicId apic_id_;
  Place place_;
  std::uint32_t per_package_;  // logical processors
  bool amd_;
  bool tsc_deadline_timer_;
};

}  // namespace

std::vector<kvm_cpuid_entry2> BuildCpuid(std::span<const kvm_cpuid_entry2> supported,
                                         const Topology& topology, CpuId cpu,
                                         bool tsc_deadline_timer) {
  const bool amd = IsAmd(supported);
  const Builder builder(topology, cpu, amd, tsc_deadline_timer);
  std::vector<Entry> table;
  table.reserve(supported.size() + 7);
  std::uint32_t max_basic_leaf = 0;
  for (const Entry& original : supported) {
    switch (original.function) {
      case 0xb:
      case 0x1f:
      case 0x8000001e:  // these are written whole below
      case 0x12:        // SGX's own leaf
      case 0x8000000a:  // SVM's own leaf
      case 0x80000026:  // AMD's newer topology leaf: 0xB says it all
        continue;
      default:
        break;
    }
    if (original.function == 0) {
      max_basic_leaf = original.eax;
    }
    table.push_back(original);
    builder.Adjust(table.back());
  }
  if (amd) {
    builder.AppendAmdTopologyLeaf(table);
  }
  for (const std::uint32_t function : {0xbU, 0x1fU}) {
    if (max_basic_leaf >= function) {
      builder.AppendTopologyLeaf(table, function);
    }
  }
  return table;
}

}  // namespace tidevm::vcpu
