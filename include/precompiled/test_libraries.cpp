#include "precompiled/test_libraries.h"

namespace testing {
template std::string PrintToString(const int&);
template std::string PrintToString(const unsigned&);
template std::string PrintToString(const unsigned long&);
template std::string PrintToString(const std::string&);
template std::string PrintToString(const char* const&);

template class Matcher<const std::string&>;
template class PolymorphicMatcher<internal::HasSubstrMatcher<std::string>>;
namespace internal {
template class MatcherBase<const std::string&>;
template bool MatchPrintAndExplain(const std::string&, const Matcher<const std::string&>&,
                                   MatchResultListener*);
template class PredicateFormatterFromMatcher<
    PolymorphicMatcher<internal::HasSubstrMatcher<std::string>>>;
template AssertionResult PredicateFormatterFromMatcher<PolymorphicMatcher<
    internal::HasSubstrMatcher<std::string>>>::operator()(const char*, const std::string&) const;
}  // namespace internal
}  // namespace testing
