#include "tools/benchmark/options.h"

#include <charconv>
#include <sstream>
#include <string_view>
#include <utility>

#include <boost/program_options.hpp>

namespace tidevm::benchmark {
namespace {

namespace po = boost::program_options;

constexpr std::uint32_t kMostCpus = 255;

po::options_description Description() {
  po::options_description all("options");
  const auto text = [] { return po::value<std::string>()->required(); };
  all.add_options()("tidevm", text(), "the tidevm to measure")(
      "qemu", text(), "the qemu-system-x86_64 to measure")("kernel", text(), "the guest's kernel")(
      "initrd", text(), "the guest's initramfs (tools/make-initramfs)")(
      "output", text(), "file for the raw results (JSON)")(
      "memory", po::value<std::uint32_t>()->default_value(512), "of each guest, in MiB")(
      "rounds", po::value<unsigned>()->default_value(1), "how often everything is done")(
      "cycle", po::value<std::uint32_t>()->default_value(8), "add one by one up to so many vCPUs")(
      "again", "add and remove them a second time")(
      "less-qemu", "of QEMU, only the vCPUs that come and go one by one")(
      "bursts", po::value<std::string>()->default_value(""),
      "from 1 to so many vCPUs at once, each in a VM of its own: 2,4,8")(
      "maxima", po::value<std::string>()->default_value(""),
      "boot with these values of max: 64,255")("idle", po::value<double>()->default_value(10),
                                               "seconds to watch an idle VM");
  return all;
}

Result<std::vector<std::uint32_t>> ParseCounts(std::string_view name, std::string_view text) {
  std::vector<std::uint32_t> counts;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view word = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (error != std::errc{} || end != word.data() + word.size() || count < 2 ||
        count > kMostCpus) {
      return Fail(ErrorCode::kInvalidArgument,
                  "--{} {}: \"{}\" is no number of vCPUs from 2 to {}; write it like 2,4,8", name,
                  text, word, kMostCpus);
    }
    counts.push_back(count);
  }
  return counts;
}

Result<Options> FromValues(const po::variables_map& values) {
  Options options;
  for (const auto& [name, into] : {std::pair{"tidevm", &options.programs.tidevm},
                                   {"qemu", &options.programs.qemu},
                                   {"kernel", &options.programs.kernel},
                                   {"initrd", &options.programs.initrd},
                                   {"output", &options.output}}) {
    *into = values[name].as<std::string>();
  }
  options.memory_mebibytes = values["memory"].as<std::uint32_t>();
  options.rounds = values["rounds"].as<unsigned>();
  options.cycle = values["cycle"].as<std::uint32_t>();
  options.again = values.count("again") != 0;
  options.less_qemu = values.count("less-qemu") != 0;
  options.idle =
      std::chrono::milliseconds(static_cast<std::int64_t>(values["idle"].as<double>() * 1000));
  if (options.rounds < 1 || options.cycle < 2 || options.cycle > kMostCpus) {
    return Fail(ErrorCode::kInvalidArgument,
                "--rounds {} --cycle {}: at least 1 round, and 2 to {} vCPUs", options.rounds,
                options.cycle, kMostCpus);
  }
  auto bursts = ParseCounts("bursts", values["bursts"].as<std::string>());
  auto maxima = ParseCounts("maxima", values["maxima"].as<std::string>());
  if (!bursts || !maxima) {
    return tl::make_unexpected(bursts ? maxima.error() : bursts.error());
  }
  options.bursts = std::move(*bursts);
  options.maxima = std::move(*maxima);
  return options;
}

}  // namespace

Result<Options> ParseOptions(const std::vector<std::string>& words) {
  po::variables_map values;
  try {
    po::store(po::command_line_parser(words).options(Description()).run(), values);
    po::notify(values);
  } catch (const po::error& error) {  // the one place where the library's exceptions end
    return Fail(ErrorCode::kInvalidArgument, "{}", error.what());
  }
  return FromValues(values);
}

std::string UsageText() {
  std::ostringstream text;
  text << "usage: hotplug-bench OPTIONS (tools/bench calls it, where KVM is)\n" << Description();
  return text.str();
}

}  // namespace tidevm::benchmark
