// The same for tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "precompiled/libraries.h"

namespace testing {
extern template std::string PrintToString(const int&);
extern template std::string PrintToString(const unsigned&);
extern template std::string PrintToString(const unsigned long&);
extern template std::string PrintToString(const std::string&);
extern template std::string PrintToString(const char* const&);

extern template class Matcher<const std::string&>;
extern template class PolymorphicMatcher<internal::HasSubstrMatcher<std::string>>;
namespace internal {
extern template class MatcherBase<const std::string&>;
extern template bool MatchPrintAndExplain(const std::string&, const Matcher<const std::string&>&,
                                          MatchResultListener*);
extern template class PredicateFormatterFromMatcher<
    PolymorphicMatcher<internal::HasSubstrMatcher<std::string>>>;
extern template AssertionResult PredicateFormatterFromMatcher<PolymorphicMatcher<
    internal::HasSubstrMatcher<std::string>>>::operator()(const char*, const std::string&) const;
}  // namespace internal
}  // namespace testing
