#include "tools/benchmark/measured_vm.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace tidevm::benchmark {

Result<std::unique_ptr<MeasuredVm>> MeasuredVm::Start(System system, const Programs& programs,
                                                      const Shape& shape,
                                                      const std::string& directory) {
  std::string control = directory + "/control.sock";
  ::unlink(control.c_str());  // a former VM's, which was killed
  const auto command = StartCommand(system, programs, shape, control);
  const auto started = Clock::now();
  auto process = guest_tests::ChildProcess::Start(command);
  if (!process) {
    return tl::make_unexpected(std::move(process.error()));
  }
  return std::unique_ptr<MeasuredVm>(
      new MeasuredVm(system, std::move(*process), started, std::move(control)));
}

MeasuredVm::Mark MeasuredVm::mark() const {
  return {.line = process_.output().size(), .message = link_ ? link_->messages().size() : 0};
}

std::vector<StampedLine> MeasuredVm::LinesSince(const Mark& mark) const {
  std::vector<StampedLine> lines;
  for (std::size_t i = mark.line; i < process_.output().size(); ++i) {
    lines.push_back({.text = process_.output()[i], .arrived = process_.output_times()[i]});
  }
  return lines;
}

std::span<const QmpMessage> MeasuredVm::MessagesSince(const Mark& mark) const {
  return link_ ? std::span(link_->messages()).subspan(mark.message) : std::span<QmpMessage>();
}

Result<void> MeasuredVm::WaitUntil(std::string_view what, const std::function<bool()>& satisfied) {
  bool good = false;
  const auto look = [&] {
    if (link_) {
      link_->ReadWhatIsThere();
    }
    good = satisfied();
    return good || control_closed();
  };
  process_.ReadUntil(look, Clock::now() + kPatience, control_fd());
  if (!good) {
    return Fail(ErrorCode::kIo, "{} did not come to {}\n{}", Name(system_), what,
                process_.Transcript());
  }
  return {};
}

void MeasuredVm::Watch(std::chrono::milliseconds duration) {
  const auto look = [this] {
    if (link_) {
      link_->ReadWhatIsThere();
    }
    return control_closed();
  };
  process_.ReadUntil(look, Clock::now() + duration, control_fd());
}

Result<std::vector<std::string>> MeasuredVm::Ask(const std::string& question) {
  const Mark before = mark();
  const std::string prefix = fmt::format("@{} ", ++last_question_);
  if (auto asked = process_.Write(fmt::format("ask {} {}\n", last_question_, question)); !asked) {
    return tl::make_unexpected(std::move(asked.error()));
  }
  std::vector<std::string> answer;
  std::optional<bool> good;
  const auto ended = [&] {
    answer.clear();
    for (const StampedLine& line : LinesSince(before)) {
      if (!line.text.starts_with(prefix)) {
        continue;
      }
      const std::string_view text = line.text.substr(prefix.size());
      if (text.starts_with("end ")) {
        good = text == "end 0";
      } else {
        answer.emplace_back(text);
      }
    }
    return good.has_value();
  };
  if (auto waited = WaitUntil(fmt::format("answer \"{}\"", question), ended); !waited) {
    return tl::make_unexpected(std::move(waited.error()));
  }
  if (!*good) {
    return Fail(ErrorCode::kIo, "the guest of {} answered \"{}\" with a failure: {}", Name(system_),
                question, answer.empty() ? "" : answer.front());
  }
  return answer;
}

Result<void> MeasuredVm::OpenControl() {
  auto link = QmpLink::Connect(control_);
  if (!link) {
    return tl::make_unexpected(std::move(link.error()));
  }
  link_ = std::move(*link);
  return Execute("qmp_capabilities").map([](const Json&) {});
}

Result<Json> MeasuredVm::Execute(const std::string& command, Json arguments) {
  const Mark before = mark();
  const unsigned id = ++last_command_;
  Json request = {{"execute", command}, {"id", id}};
  if (!arguments.empty()) {
    request["arguments"] = std::move(arguments);
  }
  if (auto sent = Send({request}); !sent) {
    return tl::make_unexpected(std::move(sent.error()));
  }
  std::optional<Json> answer;
  const auto answered = [&] {
    for (const QmpMessage& message : MessagesSince(before)) {
      Json parsed = Json::parse(message.text, nullptr, /*allow_exceptions=*/false);
      if (parsed.is_object() && parsed.contains("id") && parsed["id"] == id) {
        answer = std::move(parsed);
      }
    }
    return answer.has_value();
  };
  if (auto waited = WaitUntil("answer " + command, answered); !waited) {
    return tl::make_unexpected(std::move(waited.error()));
  }
  if (answer->contains("error")) {
    return Fail(ErrorCode::kIo, "{} refused {}: {}", Name(system_), command,
                (*answer)["error"].value("desc", "without a reason"));
  }
  return answer->value("return", Json::object());
}

Result<void> MeasuredVm::Quit() {
  if (auto sent = Send({Json{{"execute", "quit"}}}); !sent) {
    return sent;
  }
  const auto status = process_.WaitForExit(Clock::now() + kPatience);
  if (!status) {
    return Fail(ErrorCode::kIo, "{} did not end after \"quit\"\n{}", Name(system_),
                process_.Transcript());
  }
  if (*status != 0) {
    return Fail(ErrorCode::kIo, "{} ended with status {} after \"quit\"\n{}", Name(system_),
                *status, process_.Transcript());
  }
  return {};
}

}  // namespace tidevm::benchmark
