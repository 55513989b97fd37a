// The AML builder: from each input a term tree is written, and read back twice. Each time by a
// small reader that knows nothing of the builder; now and then by iasl, which takes the table apart
// and must put the same bytes together again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "firmware/aml_author_fuzz_util.h"
#include "firmware/aml_reader_fuzz_util.h"
#include "firmware/table.h"
#include "firmware/tool_folder_test_util.h"
#include "fuzzing/require.h"

namespace tidevm::firmware {
namespace {

using fuzzing::Require;

void RequireSameFromIasl(std::span<const std::byte> terms) {
  static const ToolFolder folder;
  Table table("DSDT", 2);
  table.Append(terms);
  const Bytes bytes = std::move(table).Finish();
  folder.Write("table.aml", bytes);
  const auto apart = folder.Run(TIDEVM_IASL " -p again -d table.aml");
  Require(apart.exit_code == 0, "iasl -d: {}", apart.text);
  // Neither shorter names nor sums that are known beforehand: what was written is to come back.
  const auto together = folder.Run(TIDEVM_IASL " -on -of -p again again.dsl");
  Require(together.exit_code == 0, "iasl: {}", together.text);
  Require(Blanked(folder.Read("again.aml")) == Blanked(folder.Read("table.aml")),
          "iasl puts other bytes together: {}", folder.Read("again.dsl"));
}

}  // namespace
}  // namespace tidevm::firmware

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidevm;
  using namespace tidevm::firmware;
  const Written written = WriteAml(std::span(data, size));
  const std::string read = ReadAml(written.bytes);
  fuzzing::Require(read == written.text, "written: {}\nread: {}", written.text, read);
  // By the input alone, so that what was found is found again.
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const char* const wish = std::getenv("TIDEVM_IASL_EVERY");
  static const unsigned long every = wish == nullptr ? 1 : std::stoul(wish);
  const bool is_chosen = std::hash<std::string_view>()(input) % every == 0;
  if (is_chosen && !written.bytes.empty()) {  // iasl knows no table without a term
    RequireSameFromIasl(written.bytes);
  }
  return 0;
}
