// Bytes from a client of the control socket: through splitter, session and commands, over a real
// socket, to a machine that pretends. In whatever pieces they come, there must be one answer to
// each request, in order, each a line that docs/qmp-schema.json allows.
//
// The input is what the client sends. How it is cut, whether the client reads while it writes, and
// whether the machine's calls fail, is drawn from the input's hash.
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "fuzzing/require.h"
#include "vmm/control/event_loop.h"
#include "vmm/control/fake_machine.h"
#include "vmm/control/machine_json.h"
#include "vmm/control/qmp_message.h"
#include "vmm/control/qmp_schema_validator.h"
#include "vmm/control/qmp_session.h"
#include "vmm/control/request_splitter.h"

namespace tidevm::control {
namespace {

using fuzzing::Require;

constexpr std::size_t kMostPieces = 24;

/// What the client must be told, in its order.
std::vector<RequestSplitter::Item> ItemsOf(std::string_view input) {
  RequestSplitter splitter;
  splitter.Feed(input);
  std::vector<RequestSplitter::Item> items;
  while (auto item = splitter.Next()) {
    Require(item->text.size() <= kMaxRequestBytes, "an item of {} bytes", item->text.size());
    items.push_back(*std::move(item));
  }
  return items;
}

/// The client's end of a session.
class Conversation {
 public:
  explicit Conversation(std::uint64_t seed) : random_(seed), reads_at_once_(random_() % 4 != 0) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      fuzzing::Found("no socket to be had");
    }
    client_.Reset(ends[0]);
    session_ = std::make_shared<QmpSession>(loop_, machine_, UniqueFd(ends[1]), "fuzz");
    if (!session_->Start([this] { closed_ = true; })) {
      fuzzing::Found("no session to be had");
    }
  }

  /// All that the session has to say to `input`.
  std::string Hear(std::string_view input) {
    while (!input.empty() && !closed_) {
      Disturb();
      const auto piece = input.substr(0, NextSize(input.size()));
      const ssize_t sent = ::send(client_.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
      input.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
      Turn();
    }
    ::shutdown(client_.get(), SHUT_WR);
    reads_at_once_ = true;
    for (int turns = 0; !closed_; ++turns) {
      // Each turn takes 16 KiB of requests, or ends one that was outstanding.
      Require(turns < 20'000, "the session does not end");
      Turn();
    }
    Receive();
    return std::move(heard_);
  }

 private:
  std::size_t NextSize(std::size_t left) {
    const std::size_t some = 1 + random_() % (random_() % 2 == 0 ? 8 : left);
    return ++pieces_ >= kMostPieces ? left : std::min(some, left);
  }

  // What happens beside what the client does.
  void Disturb() {
    if (random_() % 4 == 0) {
      const EventMessage event =
          ToMessage(event::VcpuState{.cpu = 1, .state = "running", .online = {}});
      session_->SendEvent(EventLine(event.name, event.data, {}));
    }
    if (random_() % 4 == 0) {
      machine_.error = Error{.code = ErrorCode::kBusy, .message = "the machine says no"};
    }
  }

  void Turn() {
    loop_.After({}, [this] { loop_.Quit(); });
    if (!loop_.Run()) {
      fuzzing::Found("the loop fails");
    }
    if (auto done = std::exchange(machine_.stop_done, nullptr)) {
      done();
    }
    if (reads_at_once_) {
      Receive();
    }
  }

  void Receive() {
    std::array<char, 65536> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    ssize_t count = 0;
    while ((count = ::recv(client_.get(), bytes.data(), bytes.size(), 0)) > 0) {
      heard_.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

  std::minstd_rand random_;
  bool reads_at_once_;
  std::size_t pieces_ = 0;
  EventLoop loop_ = *EventLoop::Create();
  FakeMachine machine_;
  UniqueFd client_;
  std::shared_ptr<QmpSession> session_;
  std::string heard_;
  bool closed_ = false;
};

/// A line's message. Lines end in CR LF and have neither within.
Json TakeMessage(std::string_view& heard) {
  const std::size_t end = heard.find("\r\n");
  Require(end != std::string_view::npos, "an answer without an end: {}", heard);
  const std::string_view line = heard.substr(0, end);
  heard.remove_prefix(end + 2);
  for (const char c : line) {
    Require(c >= ' ' && c <= '~', "byte {:#x} in an answer", static_cast<unsigned char>(c));
  }
  Json message = Json::parse(line, nullptr, false);
  Require(message.is_object(), "no JSON object: {}", line);
  return message;
}

void RequireValid(const std::string& pointer, const Json& value) {
  static QmpSchema schema;
  // Most answers are the same as ever, and the validator is slow.
  static std::unordered_set<std::string> known;
  std::string key = pointer + value.dump(-1, ' ', true);
  if (known.contains(key)) {
    return;
  }
  const std::string errors = schema.Errors(pointer, value);
  Require(errors.empty(), "{} by {}: {}", value.dump(-1, ' ', true), pointer, errors);
  if (known.size() < 100'000) {
    known.insert(std::move(key));
  }
}

void RequireAnswers(const RequestSplitter::Item& item, const Json& answer) {
  RequireValid("#", answer);
  Require(answer.contains("return") != answer.contains("error"), "no answer: {}", answer.dump());
  const Json request = item.kind == RequestSplitter::Kind::kValue
                           ? Json::parse(item.text, nullptr, false)
                           : Json(Json::value_t::discarded);
  if (answer.contains("id")) {
    Require(request.is_object() && request.contains("id") && request["id"] == answer["id"],
            "the id {} was never given", answer["id"].dump());
  }
  if (answer.contains("error")) {
    return;
  }
  Require(request.is_object() && request.contains("id") == answer.contains("id"),
          "done, and who asked does not get its id: {}", answer.dump());
  RequireValid("#/definitions/request", request);
  const std::string command = "#/commands/" + request["execute"].get<std::string>();
  RequireValid(command + "/returns", answer["return"]);
  RequireValid(command + "/arguments", request.value("arguments", Json::object()));
}

}  // namespace
}  // namespace tidevm::control

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidevm;
  using namespace tidevm::control;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string all_heard =
      Conversation(std::hash<std::string_view>()(input) % 0x7fffffff).Hear(input);
  std::string_view heard = all_heard;
  RequireValid("#/definitions/greeting", TakeMessage(heard));
  for (const RequestSplitter::Item& item : ItemsOf(input)) {
    Json message = TakeMessage(heard);
    while (message.contains("event")) {
      RequireValid("#", message);
      message = TakeMessage(heard);
    }
    RequireAnswers(item, message);
  }
  while (!heard.empty()) {
    Require(TakeMessage(heard).contains("event"), "an answer that nobody asked for");
  }
  return 0;
}
