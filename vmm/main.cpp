// tidevm: reads the command line, builds a machine, runs it.
#include <fcntl.h>
#include <pthread.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <variant>

#include "vmm/machine/guest_acpi.h"
#include "vmm/machine/host_check.h"
#include "vmm/machine/log_format.h"
#include "vmm/machine/log_sink.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/options.h"
#include "vmm/sandbox/allow_list.h"

namespace tidevm::machine {
namespace {

constexpr int kExitError = 1;
constexpr int kExitUsage = 2;

/// A closed standard descriptor would be given to the next file that is opened, and the log written
/// into it.
void FillStandardDescriptors() {
  while (true) {
    const int fd = ::open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO) {
      ::close(fd);
    }
    if (fd < 0 || fd > STDERR_FILENO) {
      return;
    }
  }
}

std::shared_ptr<spdlog::logger> MakeLogger() {
  const auto sink = LogSink::Open(STDERR_FILENO);
  return sink ? std::make_shared<spdlog::logger>("tidevm", *sink)
              : spdlog::stderr_logger_mt("tidevm");
}

/// Stacks of glibc's 8 MiB would each be given a huge page, 2 MiB, on hosts that give those to
/// everybody; our threads need a few KiB.
void KeepThreadStacksSmall() {
  constexpr std::size_t kStackSize = 512U << 10;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackSize);
  ::pthread_setattr_default_np(&attributes);
  ::pthread_attr_destroy(&attributes);
}

int Report(const Error& error, int status) {
  spdlog::error("{}", error.message);
  return status;
}

/// On a full disk the text is not there, and the exit status says so.
int Print(const std::string& text, int status) {
  if (std::fputs(text.c_str(), stdout) != EOF && std::fflush(stdout) == 0) {
    return status;
  }
  return Report(FailErrno(errno, "writing to standard output").value(), kExitError);
}

int Execute(const ShowText& show) { return Print(show.text, 0); }

int Execute(const CheckHostRequest& request) {
  const HostReport report = CheckHost(request.kvm_path);
  return Print(Render(report), report.kind == HostKind::kFit ? 0 : kExitError);
}

int Execute(const DumpAcpiRequest& request) {
  const auto topology = vcpu::Topology::Create(request.cpus.max, request.cpus.topology);
  if (!topology) {
    return Report(topology.error(), kExitUsage);
  }
  const auto tables = BuildGuestAcpi(*topology, CpuSet::FirstN(request.cpus.boot));
  if (!tables) {
    return Report(tables.error(), kExitError);
  }
  const auto written = DumpAcpi(*tables, request.directory);
  if (!written) {
    return Report(written.error(), kExitError);
  }
  std::string paths;
  for (const std::string& path : *written) {
    paths += path + "\n";
  }
  return Print(paths, 0);
}

int Execute(const ShowSeccompRequest& /*request*/) {
  std::fputs(sandbox::DescribeAllowLists().c_str(), stdout);
  return 0;
}

int Execute(const MachineOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // a VM outlives whoever reads its log, from the first line on
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  const auto machine = Machine::Build(options);
  if (!machine) {
    // A shape that does not add up is the command line's fault like any other usage error.
    const bool usage = machine.error().code == ErrorCode::kInvalidArgument;
    return Report(machine.error(), usage ? kExitUsage : kExitError);
  }
  const auto status = (*machine)->Run();
  return status ? *status : Report(status.error(), kExitError);
}

}  // namespace
}  // namespace tidevm::machine

int main(int argc, char** argv) {
  using namespace tidevm;  // NOLINT(google-build-using-namespace)
  machine::FillStandardDescriptors();
  machine::KeepThreadStacksSmall();
  spdlog::set_default_logger(machine::MakeLogger());
  spdlog::set_formatter(machine::MakeLogFormatter(machine::RequestedLogFormat(argc, argv)));
  const auto command = machine::ParseCommandLine(argc, argv);
  if (!command) {
    return machine::Report(command.error(), machine::kExitUsage);
  }
  return std::visit([](const auto& specific) { return machine::Execute(specific); }, *command);
}
