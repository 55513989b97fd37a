#include "vmm/control/request_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tidevm::control {
namespace {

using Kind = RequestSplitter::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Drain(RequestSplitter& splitter) {
  std::vector<std::string> items;
  while (auto item = splitter.Next()) {
    const char* const mark = item->kind == Kind::kValue     ? ""
                             : item->kind == Kind::kGarbage ? "garbage: "
                                                            : "overflow: ";
    items.push_back(mark + item->text);
  }
  return items;
}

std::vector<std::string> Split(std::string_view text) {
  RequestSplitter splitter;
  splitter.Feed(text);
  return Drain(splitter);
}

TEST(RequestSplitter, LinesAndNeighboursAreSeparateValues) {
  EXPECT_THAT(Split("{\"a\": 1}\r\n{}\n\n {\"b\":[]}{\"c\":2}"),
              ElementsAre("{\"a\": 1}", "{}", "{\"b\":[]}", "{\"c\":2}"));
}

TEST(RequestSplitter, ObjectMayReachOverLines) {
  EXPECT_THAT(Split("{\n  \"a\":\n 1\n}\n"), ElementsAre("{\n  \"a\":\n 1\n}"));
}

TEST(RequestSplitter, BracketsAndEscapesInStringsDoNotCount) {
  const std::string text = R"({"a": "}{][", "b": "\"}\\"})";
  EXPECT_THAT(Split(text), ElementsAre(text));
}

TEST(RequestSplitter, AnySplitOfTheBytesGivesTheSame) {
  const std::string text = "{\"a\": \"\\\"}\"}\n [1] {\"b\": {}}";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    RequestSplitter splitter;
    splitter.Feed(text.substr(0, cut));
    auto items = Drain(splitter);
    splitter.Feed(text.substr(cut));
    for (auto& item : Drain(splitter)) {
      items.push_back(item);
    }
    EXPECT_THAT(items, ElementsAre("{\"a\": \"\\\"}\"}", "[1]", "{\"b\": {}}")) << cut;
  }
}

TEST(RequestSplitter, JunkReachesToTheEndOfItsLine) {
  EXPECT_THAT(Split("hello {} there\n{}\n}\n42\n{}"),
              ElementsAre("hello {} there", "{}", "}", "42", "{}"));
}

TEST(RequestSplitter, ControlCharacterBringsBackInStep) {
  EXPECT_THAT(Split("{\"a\": [\x01{}"),
              ElementsAre("garbage: JSON parse error, stray byte 0x01", "{}"));
  EXPECT_THAT(Split("{\"a\": \"\xff{}"),
              ElementsAre("garbage: JSON parse error, stray byte 0xff", "{}"));
}

TEST(RequestSplitter, LineBreakInAStringBringsBackInStep) {
  EXPECT_THAT(Split("{\"a\": \"x\n{}"),
              ElementsAre("garbage: JSON parse error, line break or tab inside a string", "{}"));
}

TEST(RequestSplitter, UnfinishedValueWaits) { EXPECT_THAT(Split("{\"a\": {}"), IsEmpty()); }

TEST(RequestSplitter, DepthAtTheLimitPassesOneMoreOverflows) {
  const std::string deep = std::string(32, '[') + std::string(32, ']');
  EXPECT_THAT(Split(deep), ElementsAre(deep));
  EXPECT_THAT(Split(std::string(33, '[') + std::string(33, ']') + "{}"),
              ElementsAre("overflow: request is nested deeper than the limit of 32"));
}

TEST(RequestSplitter, LengthAtTheLimitPassesOneMoreOverflows) {
  const auto sized = [](std::size_t size) {
    return "{\"a\":\"" + std::string(size - 8, 'x') + "\"}";
  };
  EXPECT_THAT(Split(sized(65536)), ElementsAre(sized(65536)));
  EXPECT_THAT(Split(sized(65537) + "{}"),
              ElementsAre("overflow: request is longer than the limit of 65536 bytes"));
}

TEST(RequestSplitter, WhiteSpaceBetweenRequestsIsNotCounted) {
  EXPECT_THAT(Split(std::string(100000, ' ') + "{}"), ElementsAre("{}"));
}

}  // namespace
}  // namespace tidevm::control
