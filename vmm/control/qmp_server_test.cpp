// The protocol, over a real socket.
#include "vmm/control/qmp_server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "vmm/control/qmp_test_util.h"

namespace tidevm::control {
namespace {

TEST_F(QmpServerTest, GreetsThenNegotiates) {
  Client client(path_);
  const Json greeting = Next(client);
  EXPECT_EQ(greeting["QMP"]["capabilities"], Json::array());
  EXPECT_EQ(greeting["QMP"]["version"]["package"], "tidevm");
  client.Send("{\"execute\": \"query-status\", \"id\": 1}");
  EXPECT_EQ(Next(client), Json::parse(R"({"error": {"class": "CommandNotFound", "desc":
      "Expecting capabilities negotiation with 'qmp_capabilities'"}, "id": 1})"));
  client.Send(R"({"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}})");
  EXPECT_EQ(Next(client)["error"]["desc"], "Capability oob not available");
  client.Send(R"({"execute": "qmp_capabilities", "arguments": {"enable": ["oob", "x"]}})");
  EXPECT_EQ(Next(client)["error"]["desc"], "Parameter 'enable[1]' does not accept value 'x'");
  client.Send(R"({"execute": "qmp_capabilities", "arguments": {"enable": ["oob", 1]}})");
  EXPECT_EQ(Next(client)["error"]["desc"],
            "Invalid parameter type for 'enable[1]', expected: string");
  client.Send(R"({"execute": "qmp_capabilities", "arguments": {"enable": []}})");
  EXPECT_EQ(Next(client), Json::parse(R"({"return": {}})"));
  client.Send("{\"execute\": \"query-status\"}");
  EXPECT_EQ(Next(client)["return"]["status"], "running");
}

TEST_F(QmpServerTest, IdOfAnyKindComesBack) {
  Client client = Negotiated();
  for (const char* id : {"1", "\"x\"", "null", "[1, {\"a\": 2}]", "1.5"}) {
    client.Send(fmt::format("{{\"execute\": \"query-kvm\", \"id\": {}}}", id));
    const Json answer = Next(client);
    EXPECT_TRUE(answer.contains("id"));
    EXPECT_EQ(answer["id"], Json::parse(id));
  }
  client.Send("{\"execute\": \"nonsense\", \"id\": 7}");
  EXPECT_EQ(Next(client)["id"], 7);
  client.Send("{\"execute\": 5, \"id\": 8}");
  EXPECT_EQ(Next(client)["id"], 8);
}

TEST_F(QmpServerTest, ShapesOfRequestsThatAreRefused) {
  Client client = Negotiated();
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"{\"execute\": }\n", "JSON parse error, invalid JSON or UTF-8"},
      {"hello\n", "JSON parse error, invalid JSON or UTF-8"},
      {"{\"execute\": \"\xc3(\"}\n", "JSON parse error, invalid JSON or UTF-8"},
      {"[1]\n", "QMP input must be a JSON object"},
      {"{}\n", "QMP input lacks member 'execute'"},
      {"{\"execute\": 1}\n", "QMP input member 'execute' must be a string"},
      {"{\"execute\": \"stop\", \"arguments\": 1}\n",
       "QMP input member 'arguments' must be an object"},
      {"{\"exec-oob\": \"stop\"}\n", "QMP input member 'exec-oob' is unexpected"},
      {"{\"execute\": \"stop\x02", "JSON parse error, stray byte 0x02"},
      {R"({"execute": "query-kvm", "execute": "stop"})", "JSON parse error, duplicate key"},
      {R"({"execute": "set-vcpus", "arguments": {"count": 1, "count": 2}})",
       "JSON parse error, duplicate key"},
  };
  for (const auto& [request, desc] : cases) {
    client.Send(request);
    EXPECT_EQ(Next(client), (Json{{"error", {{"class", "GenericError"}, {"desc", desc}}}}))
        << request;
  }
  client.Send("{\"execute\": \"query-kvm\"}");
  EXPECT_TRUE(Next(client).contains("return"));
  EXPECT_TRUE(machine_.calls.empty());
}

TEST_F(QmpServerTest, EqualKeysInDifferentObjectsAreNoDuplicates) {
  Client client = Negotiated();
  client.Send(R"({"execute": "query-kvm", "id": {"execute": [{"a": 1}, {"a": 2}]}})");
  EXPECT_EQ(Next(client)["id"], Json::parse(R"({"execute": [{"a": 1}, {"a": 2}]})"));
}

TEST_F(QmpServerTest, SeveralRequestsInOneReadAreAnsweredInOrder) {
  Client client(path_);
  client.Send(std::string(kNegotiate) + R"({"execute":"query-kvm","id":1}{"execute":"query-name",)"
                                        R"("id":2})"
                                        "\n"
                                        R"({"execute":"query-status","id":3})");
  Next(client);
  Next(client);
  EXPECT_EQ(Next(client)["id"], 1);
  EXPECT_EQ(Next(client)["id"], 2);
  EXPECT_EQ(Next(client)["id"], 3);
}

TEST_F(QmpServerTest, RequestInPieces) {
  Client client = Negotiated();
  for (const char byte : std::string("{\"execute\":\"query-kvm\"}")) {
    client.Send({&byte, 1});
    Turn();
  }
  EXPECT_TRUE(Next(client).contains("return"));
}

TEST_F(QmpServerTest, EventsGoToNegotiatedClientsOnly) {
  Client early(path_);
  EXPECT_TRUE(Next(early).contains("QMP"));
  Client a = Negotiated();
  Client b = Negotiated();
  server_->Publish(event::Reset{.guest = true, .reason = ShutdownCause::kGuestReset});
  for (Client* client : {&a, &b}) {
    const Json event = Next(*client);
    EXPECT_EQ(event["event"], "RESET");
    EXPECT_EQ(event["data"], Json::parse(R"({"guest": true, "reason": "guest-reset"})"));
    EXPECT_GT(event["timestamp"]["seconds"], 1'600'000'000);
    EXPECT_LT(event["timestamp"]["microseconds"], 1'000'000);
  }
  early.Receive();
  EXPECT_FALSE(early.TakeMessage());
}

TEST_F(QmpServerTest, EventPublishedInsideACommandComesBeforeItsAnswer) {
  machine_.on_begin = [&](const OperationStatus& operation) {
    server_->Publish(
        event::VcpuOperation{.id = operation.id, .cpu = operation.cpu, .phase = "requested"});
  };
  Client client = Negotiated();
  client.Send(R"({"execute":"set-vcpus","arguments":{"count":3}})");
  EXPECT_EQ(Next(client)["event"], "VCPU_OPERATION");
  EXPECT_EQ(Next(client)["return"]["wanted"], "0-2");
}

TEST_F(QmpServerTest, QuitIsAnsweredBeforeTheMachineIsTold) {
  Client client = Negotiated();
  bool answered_before = false;
  machine_.on_quit = [&] {
    client.Receive();
    const auto answer = client.TakeMessage();
    answered_before = answer && answer->contains("return");
  };
  client.Send(R"({"execute":"quit"})");
  ASSERT_TRUE(Until([&] { return !machine_.calls.empty(); }));
  EXPECT_TRUE(answered_before);
}

TEST_F(QmpServerTest, DestructionClosesClientsAndRemovesTheFile) {
  Client client = Negotiated();
  server_->Publish(event::Shutdown{.guest = true, .reason = ShutdownCause::kGuestShutdown});
  server_.reset();
  client.Receive();
  EXPECT_EQ(client.TakeMessage().value_or(Json())["event"], "SHUTDOWN");
  EXPECT_TRUE(client.gone());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(QmpServerTest, SocketIsPrivate) {
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST(Peers, OnlyRootAndTheOwnUserAreTrusted) {
  EXPECT_TRUE(IsTrustedPeer(0, 1000));
  EXPECT_TRUE(IsTrustedPeer(1000, 1000));
  EXPECT_FALSE(IsTrustedPeer(1001, 1000));
  EXPECT_FALSE(IsTrustedPeer(1000, 0));
}

}  // namespace
}  // namespace tidevm::control
