// hotplug-bench: measures tidevm and Debian's QEMU with the same guest, and writes down every
// sample. What they mean together is for tools/bench to say.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tools/benchmark/host_facts.h"
#include "tools/benchmark/options.h"
#include "tools/benchmark/plan.h"

namespace tidevm::benchmark {
namespace {

namespace fs = std::filesystem;

constexpr int kExitUsage = 2;

/// What changes in the meaning of the raw results changes this.
constexpr int kFormat = 1;

Result<std::string> MakeDirectory() {
  std::string directory = fs::temp_directory_path() / "tidevm-bench-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) {
    return FailErrno(errno, "a folder for control sockets, {}", directory);
  }
  return directory;
}

Json StartCommands(const Options& options) {
  Json commands = Json::object();
  for (const System system : {System::kTidevm, System::kQemuQ35, System::kQemuMicrovm}) {
    commands[std::string(Name(system))] = StartCommand(
        system, options.programs,
        {.boot = 1, .max = options.cycle, .memory_mebibytes = options.memory_mebibytes},
        "control.sock");
  }
  return commands;
}

/// Runs the plan; a step that fails is recorded, and the next one tried.
void RunAll(const std::vector<Step>& plan, const Bench& bench) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const Step& step = plan[i];
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
    std::fprintf(stderr, "bench: %zu of %zu, after %lld s: round %u, %s, %s\n", i + 1, plan.size(),
                 static_cast<long long>(elapsed.count()), step.round, step.scenario.c_str(),
                 std::string(Name(step.system)).c_str());
    bench.recorder.MoveTo({.round = step.round,
                           .position = static_cast<unsigned>(i),
                           .system = step.system,
                           .scenario = step.scenario});
    if (const auto done = step.run(bench); !done) {
      std::fprintf(stderr, "bench: FAILED: %s\n", done.error().message.c_str());
      bench.recorder.AddFailure(done.error().message);
    }
  }
}

Result<bool> Execute(const Options& options) {
  const auto directory = MakeDirectory();
  if (!directory) {
    return tl::make_unexpected(directory.error());
  }
  const FirstEntryProbe first_entry;
  Recorder recorder;
  RunAll(MakePlan(options), {.programs = options.programs,
                             .memory_mebibytes = options.memory_mebibytes,
                             .directory = *directory,
                             .first_entry = first_entry,
                             .recorder = recorder});
  std::error_code ignored;
  fs::remove_all(*directory, ignored);
  const Json raw = {{"format", kFormat},
                    {"host", HostFacts()},
                    {"first-entry-traced", first_entry.available()},
                    {"memory-mib", options.memory_mebibytes},
                    {"rounds", options.rounds},
                    {"commands", StartCommands(options)},
                    {"samples", recorder.samples()},
                    {"failures", recorder.failures()}};
  std::ofstream file(options.output);
  file << raw.dump(1) << '\n';
  file.close();
  if (!file) {
    return Fail(ErrorCode::kIo, "cannot write {}", options.output);
  }
  return recorder.failures().empty();
}

}  // namespace
}  // namespace tidevm::benchmark

// Out of memory: the run ends, as std::terminate() says it.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
  using namespace tidevm::benchmark;  // NOLINT(google-build-using-namespace)
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words == std::vector<std::string>{"--help"}) {
    std::fputs(UsageText().c_str(), stdout);
    return EXIT_SUCCESS;
  }
  const auto options = ParseOptions(words);
  if (!options) {
    std::fprintf(stderr, "hotplug-bench: %s\n", options.error().message.c_str());
    return kExitUsage;
  }
  const auto good = Execute(*options);
  if (!good) {
    std::fprintf(stderr, "hotplug-bench: %s\n", good.error().message.c_str());
    return EXIT_FAILURE;
  }
  return *good ? EXIT_SUCCESS : EXIT_FAILURE;
}
