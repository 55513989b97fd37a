#include "tidevm/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace tidevm {
namespace {

TEST(Result, FailFormatsItsSentence) {
  const Result<int> result = Fail(ErrorCode::kLimitExceeded, "{} vCPUs: at most {}", 9, 8);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(result.error().message, "9 vCPUs: at most 8");
  EXPECT_EQ(result.error().sys_errno, 0);
}

TEST(Result, FailErrnoDerivesTheCodeFromErrno) {
  struct Case {
    int err;
    ErrorCode code;
  };
  for (const auto& [err, code] :
       {Case{EACCES, ErrorCode::kPermissionDenied}, Case{EPERM, ErrorCode::kPermissionDenied},
        Case{ENOENT, ErrorCode::kNotFound}, Case{EIO, ErrorCode::kIo}, Case{EMFILE, ErrorCode::kIo},
        Case{EBUSY, ErrorCode::kIo}}) {
    const Result<void> result = FailErrno(err, "open");
    EXPECT_EQ(result.error().code, code) << err;
    EXPECT_EQ(result.error().sys_errno, err);
  }
}

TEST(Result, FailErrnoAppendsWhatErrnoMeans) {
  const Result<void> result = FailErrno(ENOENT, "open {}", "/dev/kvm");
  EXPECT_EQ(result.error().message, "open /dev/kvm: No such file or directory");
}

TEST(Result, FailErrnoSaysWhatToDoAboutLimitsOfTheHost) {
  const Result<void> result = FailErrno(EMFILE, "eventfd");
  EXPECT_EQ(result.error().message,
            "eventfd: Too many open files; raise this process's limit of open files (ulimit -n, "
            "LimitNOFILE=)");
}

TEST(Result, ChainPutsTheDeedBeforeTheCauseAndKeepsTheRest) {
  const Result<void> cause = FailErrno(EACCES, "open x");
  const Result<void> chained = Chain(cause.error(), "loading the kernel");
  EXPECT_EQ(chained.error().message, "loading the kernel: open x: Permission denied");
  EXPECT_EQ(chained.error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(chained.error().sys_errno, EACCES);
}

}  // namespace
}  // namespace tidevm
