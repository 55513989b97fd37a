// Text for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace tidevm::tidectl {

using Json = nlohmann::json;

enum class Color { kNone, kGood, kBad, kWaiting };

/// Colours never carry anything that the words do not say too.
struct Style {
  bool color = false;
  bool unicode = false;  // the terminal shows UTF-8
  std::string Paint(std::string_view text, Color color_of_text) const;
};

/// For the outcome of an operation: "pending", "done", ...
Color ColorOfOutcome(std::string_view outcome);

/// Aligned columns under a heading; a column of numbers is aligned to the right. No trailing
/// blanks.
class Table {
 public:
  struct Column {
    std::string_view heading;
    bool right = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// As many cells as there are columns.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string ToString() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

std::string RenderVcpus(const Json& vcpus);            // query-vcpus' answer
std::string RenderOperations(const Json& operations);  // query-vcpu-operations' answer
/// query-status', query-name's and query-vcpus' answers.
std::string RenderStatus(const Json& status, const Json& name, const Json& vcpus);
/// One line, no line end: a VCPU_OPERATION event's data, or what has its members.
std::string RenderPhase(const Json& phase, const Style& style);
/// One line, no line end: any event.
std::string RenderEvent(const Json& event, const Style& style);
/// The set of CPUs of query-vcpus' answer for which the boolean member is true, as "0-3".
std::string WantedList(const Json& vcpus);

}  // namespace tidevm::tidectl
