// The one answer to one request, now or later.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <tl/expected.hpp>

#include "vmm/control/qmp_message.h"

namespace tidevm::control {

/// Handed to a command's handler, which answers at once or keeps a copy and answers when it knows.
/// Copies are the same answer; the first one given counts. If all copies go without an answer the
/// client is told that too, so it never waits for nothing. An answer to a client that has gone is
/// dropped. Machine thread only.
class Reply {
 public:
  using Answer = tl::expected<Json, QmpError>;
  using Deliver = std::function<void(Answer)>;

  explicit Reply(Deliver deliver) : state_(std::make_shared<State>(std::move(deliver))) {}

  void Return(Json value = Json::object()) const { state_->Give(std::move(value)); }
  void Fail(QmpError error) const { state_->Give(tl::make_unexpected(std::move(error))); }

 private:
  struct State {
    explicit State(Deliver to) : deliver(std::move(to)) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { Give(tl::make_unexpected(QmpError{.desc = "The request was given up unanswered"})); }

    void Give(Answer answer) {
      if (auto to = std::exchange(deliver, nullptr)) {
        to(std::move(answer));
      }
    }
    Deliver deliver;
  };
  std::shared_ptr<State> state_;
};

}  // namespace tidevm::control
