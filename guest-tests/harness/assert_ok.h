// Results in tests.
#pragma once

#include <gtest/gtest.h>

// Takes the value out of a Result, or fails the test with the error's message.
// NOLINTBEGIN(bugprone-macro-parentheses): `declaration` is a name to declare
#define TIDEVM_ASSERT_OK(declaration, expression)                                        \
  auto declaration##_result = (expression);                                              \
  ASSERT_TRUE(declaration##_result.has_value()) << declaration##_result.error().message; \
  [[maybe_unused]] auto& declaration = *declaration##_result
// NOLINTEND(bugprone-macro-parentheses)
#define TIDEVM_ASSERT_DONE(expression)                                   \
  do {                                                                   \
    const auto done_result = (expression);                               \
    ASSERT_TRUE(done_result.has_value()) << done_result.error().message; \
  } while (false)
