#include "vmm/vcpu/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidevm::vcpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Topology, WithoutAWishIsOneSocketOfCores) {
  const auto topology = Topology::Create(6, {});
  ASSERT_TRUE(topology.has_value());
  EXPECT_EQ(topology->sockets(), 1U);
  EXPECT_EQ(topology->cores(), 6U);
  EXPECT_EQ(topology->threads(), 1U);
  EXPECT_THAT(topology->AllApicIds(), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(Topology, ApicIdsSkipWhereALevelIsNoPowerOfTwo) {
  const auto topology = Topology::Create(12, {.sockets = 2, .cores = 3, .threads = 2});
  ASSERT_TRUE(topology.has_value());
  EXPECT_THAT(topology->AllApicIds(), ElementsAre(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13));
  EXPECT_EQ(topology->PlaceOf(9), (Place{.socket = 1, .core = 1, .thread = 1}));
}

TEST(Topology, AMissingLevelIsComputed) {
  EXPECT_EQ(Topology::Create(8, {.cores = 4})->sockets(), 2U);
  EXPECT_EQ(Topology::Create(8, {.sockets = 2, .threads = 2})->cores(), 2U);
  EXPECT_EQ(Topology::Create(8, {.threads = 2})->cores(), 4U);
}

TEST(Topology, AProductThatIsNotMaxIsRefused) {
  for (const TopologyRequest& request :
       {TopologyRequest{.sockets = 3}, TopologyRequest{.cores = 16}, TopologyRequest{.threads = 3},
        TopologyRequest{.sockets = 2, .cores = 2, .threads = 4},
        TopologyRequest{.sockets = 0x80000000, .cores = 0x80000000, .threads = 4}}) {
    const auto topology = Topology::Create(8, request);
    ASSERT_FALSE(topology.has_value());
    EXPECT_THAT(topology.error().message, HasSubstr("is not max=8"));
  }
}

}  // namespace
}  // namespace tidevm::vcpu
