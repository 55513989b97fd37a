// What users write behind --cpus and --memory, and whole command lines, a word a line.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzzing/require.h"
#include "vmm/machine/options.h"

namespace tidevm::machine {
namespace {

using fuzzing::Require;

constexpr std::uint32_t kMostCpus = 1U << 20;

/// A refusal says what it is about.
void RequireSentence(const Error& error, std::string_view option) {
  Require(error.code == ErrorCode::kInvalidArgument, "{}: code {}", error.message,
          static_cast<int>(error.code));
  Require(error.message.starts_with(option), "no word of {}: {}", option, error.message);
}

void RequireShape(const CpuOptions& cpus) {
  const auto topology = vcpu::Topology::Create(cpus.max, cpus.topology);
  if (!topology) {
    RequireSentence(topology.error(), "--cpus");
    return;
  }
  const std::uint64_t product =
      std::uint64_t{topology->sockets()} * topology->cores() * topology->threads();
  Require(product == cpus.max, "{} CPUs in a shape for {}", cpus.max, product);
  const CpuId last = cpus.max - 1;
  const vcpu::Place place = topology->PlaceOf(last);
  Require(place == vcpu::Place{.socket = topology->sockets() - 1,
                               .core = topology->cores() - 1,
                               .thread = topology->threads() - 1},
          "the last of {} CPUs is not in the last place", cpus.max);
  Require(topology->ApicIdOf(last) >= last, "the APIC id of CPU {} is {}", last,
          topology->ApicIdOf(last));
}

void TryCpus(std::string_view text) {
  const auto cpus = ParseCpus(text);
  if (!cpus) {
    RequireSentence(cpus.error(), "--cpus");
    return;
  }
  const auto& [sockets, cores, threads] = cpus->topology;
  Require(cpus->boot >= 1 && cpus->boot <= cpus->max, "boot={},max={} of {}", cpus->boot, cpus->max,
          text);
  for (const std::uint32_t count : {cpus->max, sockets, cores, threads}) {
    Require(count <= kMostCpus, "{} is too many, and {} was taken", count, text);
  }
  std::string again = fmt::format("boot={},max={}", cpus->boot, cpus->max);
  for (const auto& [key, count] :
       {std::pair{"sockets", sockets}, std::pair{"cores", cores}, std::pair{"threads", threads}}) {
    again += count == 0 ? "" : fmt::format(",{}={}", key, count);
  }
  const auto same = ParseCpus(again);
  Require(same && same->boot == cpus->boot && same->max == cpus->max &&
              same->topology.sockets == sockets && same->topology.cores == cores &&
              same->topology.threads == threads,
          "{} is not {}", again, text);
  RequireShape(*cpus);
}

/// What the text means, in numbers that cannot overflow; nullopt: nothing, or more than 64 bits.
std::optional<std::uint64_t> MeaningOf(std::string_view text) {
  unsigned __int128 value = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    value = value * 10 + static_cast<unsigned>(text[digits] - '0');
    if (value > UINT64_MAX) {
      return std::nullopt;
    }
    ++digits;
  }
  const std::string_view unit = text.substr(digits);
  const bool kibi = unit == "K" || unit == "k";
  const bool gibi = unit == "G" || unit == "g";
  if (digits == 0 || (!kibi && !gibi && !unit.empty() && unit != "M" && unit != "m")) {
    return std::nullopt;
  }
  value *= kibi ? 1024U : gibi ? 1024U * 1024 * 1024 : 1024U * 1024;
  return value > UINT64_MAX ? std::nullopt : std::optional(static_cast<std::uint64_t>(value));
}

void TryMemory(std::string_view text) {
  const auto memory = ParseMemory(text);
  const auto meaning = MeaningOf(text);
  Require(memory.has_value() == meaning.has_value() && (!memory || *memory == *meaning),
          "--memory {} is taken for {}", text, memory.value_or(0));
  if (!memory) {
    RequireSentence(memory.error(), "--memory");
  }
}

void TryCommandLine(std::string_view text) {
  std::vector<std::string> words{"tidevm"};
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    words.emplace_back(text.substr(0, length).substr(0, text.find('\0')));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  std::vector<const char*> argv;
  for (const std::string& word : words) {
    argv.push_back(word.c_str());
  }
  const int argc = static_cast<int>(argv.size());
  static_cast<void>(RequestedLogFormat(argc, argv.data()));
  const auto command = ParseCommandLine(argc, argv.data());
  if (!command) {
    Require(!command.error().message.empty(), "refused without a word");
  } else if (const auto* machine = std::get_if<MachineOptions>(&*command)) {
    Require(machine->cpus.boot <= machine->cpus.max, "boot above max");
    Require(!machine->paused || !machine->control.empty(), "paused, and nobody can start it");
  }
}

}  // namespace
}  // namespace tidevm::machine

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidevm::machine;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  TryCpus(text);
  TryMemory(text);
  TryCommandLine(text);
  return 0;
}
