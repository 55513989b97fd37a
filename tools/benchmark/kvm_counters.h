// KVM's own counts of one VM, from debugfs: the same numbers for every VMM.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace tidevm::benchmark {

/// "exits", "io_exits", "halt_exits" and so on, over all vCPUs of the VM.
using KvmCounters = std::map<std::string, std::uint64_t>;

/// Those of the VM that process `pid` has made; nullopt where debugfs does not show it (it is for
/// root, and has to be mounted). `root` is there for tests.
std::optional<KvmCounters> ReadKvmCounters(
    pid_t pid, const std::filesystem::path& root = "/sys/kernel/debug/kvm");

/// `after` less `before`, without those that stayed as they were.
KvmCounters Difference(const KvmCounters& before, const KvmCounters& after);

}  // namespace tidevm::benchmark
