#include "tools/tidectl/tidectl_test_util.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <sstream>
#include <system_error>
#include <utility>

namespace tidevm::tidectl {

TidectlTest::TidectlTest() = default;
TidectlTest::~TidectlTest() = default;

void TidectlTest::SetUp() {
  std::string name = (std::filesystem::temp_directory_path() / "tidectl-XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  folder_ = name;
  socket_ = (folder_ / "vm.sock").string();
  server_ = *control::QmpServer::Create(loop_, machine_, {.path = socket_});
  for (control::VcpuStatus& vcpu : machine_.cpus) {
    vcpu.online = vcpu.wanted;
  }
  machine_.on_quit = [this] {
    server_->Publish(
        control::event::Shutdown{.guest = false, .reason = control::ShutdownCause::kHostQmpQuit});
    loop_.Quit();
  };
  machine_.on_begin = [this](const control::OperationStatus& operation) {
    Tell(operation.id, {"requested"});
    const auto found = scripts_.find(operation.cpu);
    const bool add = operation.kind == OperationKind::kAdd;
    const Script& script = found != scripts_.end() ? found->second
                           : add                   ? kAddGoesWell
                                                   : kRemovalGoesWell;
    for (std::size_t i = 0; i < script.size(); ++i) {
      loop_.After(std::chrono::milliseconds(3 * (i + 1)),
                  [this, id = operation.id, step = script[i]] { Tell(id, step); });
    }
  };
  ASSERT_TRUE(loop_.Add(wake_.get(), EPOLLIN, [this](std::uint32_t) { posted_(); }));
}

void TidectlTest::TearDown() {
  if (thread_.joinable()) {
    Post([this] { loop_.Quit(); });
  }
  StopServer();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void TidectlTest::StartServer() {
  if (!thread_.joinable() && !stopped_) {
    thread_ = std::thread([this] { EXPECT_TRUE(loop_.Run()); });
  }
}

void TidectlTest::StopServer() {
  if (thread_.joinable()) {
    thread_.join();
  }
  server_.reset();
  stopped_ = true;
}

void TidectlTest::OnLoop(const std::function<void()>& work) {
  std::promise<void> done;
  Post([&] {
    std::uint64_t count = 0;
    EXPECT_EQ(::read(wake_.get(), &count, sizeof count), ssize_t{sizeof count});
    work();
    done.set_value();
  });
  done.get_future().wait();
}

void TidectlTest::Tell(std::uint64_t id, const Step& step) {
  control::OperationStatus& operation = machine_.begun.at(id - 1);
  if (operation.outcome != Outcome::kPending) {
    return;  // cancelled meanwhile
  }
  operation.outcome = step.outcome;
  operation.reason = step.reason;
  if (operation.phases.back().phase != step.phase) {
    operation.phases.push_back(
        {.phase = step.phase, .since_request = std::chrono::milliseconds(7)});
  }
  control::VcpuStatus& vcpu = machine_.cpus.at(operation.cpu);
  if (step.phase == "online" || step.phase == "parked") {
    vcpu.online = step.phase == "online";
  }
  server_->Publish(control::event::VcpuOperation{.id = operation.id,
                                                 .cpu = operation.cpu,
                                                 .kind = operation.kind,
                                                 .phase = step.phase,
                                                 .outcome = step.outcome,
                                                 .reason = step.reason,
                                                 .since_request = std::chrono::milliseconds(7)});
}

int TidectlTest::Run(std::vector<std::string> words, Style style,
                     std::function<ScreenSize()> screen) {
  StartServer();
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err, style, std::move(screen)};
  const int code = RunTidectl(std::move(words), socket_.c_str(), terminal);
  out_ = out.str();
  err_ = err.str();
  return code;
}

Json TidectlTest::LastJson() const {
  const std::size_t end = out_.find_last_not_of('\n');
  const std::size_t start = out_.rfind('\n', end);
  return Json::parse(out_.substr(start == std::string::npos ? 0 : start + 1), nullptr, false);
}

void TidectlTest::Post(std::function<void()> work) {
  posted_ = std::move(work);
  const std::uint64_t one = 1;
  EXPECT_EQ(::write(wake_.get(), &one, sizeof one), ssize_t{sizeof one});
}

}  // namespace tidevm::tidectl
