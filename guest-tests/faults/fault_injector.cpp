#include "guest-tests/faults/fault_injector.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "tidevm/unique_fd.h"

namespace tidevm::guest_tests {

Result<FaultInjector> FaultInjector::Create(const std::string& directory) {
  const char* const shim = std::getenv("TIDEVM_FAULT_SHIM");
  if (shim == nullptr) {
    return Fail(ErrorCode::kNotFound,
                "TIDEVM_FAULT_SHIM is not set; run this through guest-tests/run");
  }
  const std::string path = directory + "/faults";
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid() || ::ftruncate(file.get(), sizeof(FaultTable)) != 0) {
    return FailErrno(errno, "{}", path);
  }
  void* const at =
      ::mmap(nullptr, sizeof(FaultTable), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (at == MAP_FAILED) {
    return FailErrno(errno, "mapping {}", path);
  }
  FaultInjector injector;
  injector.table_.reset(static_cast<FaultTable*>(at));
  injector.environment_ = {fmt::format("LD_PRELOAD={}", shim),
                           fmt::format("{}={}", kFaultTableVariable, path)};
  return injector;
}

void FaultInjector::Unmap::operator()(FaultTable* table) const {
  ::munmap(table, sizeof(FaultTable));
}

void FaultInjector::Arm(const Fault& fault) {
  for (FaultRule& rule : table_->rules) {
    if (!rule.armed.load()) {
      rule.fault = fault;
      rule.armed.store(true, std::memory_order_release);
      return;
    }
  }
  std::abort();  // more rules than a test needs
}

std::uint32_t FaultInjector::Disarm() {
  std::uint32_t hits = 0;
  for (FaultRule& rule : table_->rules) {
    rule.armed.store(false);
    rule.seen.store(0);
    hits += rule.hits.exchange(0);
  }
  return hits;
}

}  // namespace tidevm::guest_tests
