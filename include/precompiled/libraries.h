// The headers of libraries that most files pull in, parsed once; and what those files would each
// instantiate of them, compiled once (libraries.cpp), which saves more. Only for the compiler,
// which puts it before every file: none includes it, and each compiles without it too.
// None of our own headers are here, so that what may be included is still what is linked.
#pragma once

#include <spdlog/spdlog.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

extern template class std::basic_string<char>;  // libstdc++ does so itself, up to C++17
extern template class std::map<std::string, nlohmann::json, std::less<>>;
extern template class std::vector<nlohmann::json>;

NLOHMANN_JSON_NAMESPACE_BEGIN
extern template json::basic_json(const json&);
extern template json::basic_json(initializer_list_t, bool, value_t);
extern template void json::json_value::destroy(value_t);
extern template std::string json::dump(int, char, bool, error_handler_t) const;
extern template bool json::operator==(const json&) const noexcept;
namespace detail {
extern template class serializer<json>;
using TextInput = decltype(input_adapter(std::declval<const std::string&>()));
extern template class lexer<json, TextInput>;
extern template class parser<json, TextInput>;
extern template bool parser<json, TextInput>::sax_parse_internal(json_sax_dom_parser<json>*);
extern template bool parser<json, TextInput>::sax_parse_internal(
    json_sax_dom_callback_parser<json>*);
extern template class json_sax_dom_parser<json>;
extern template class json_sax_dom_callback_parser<json>;
extern template type_error type_error::create(int, const std::string&, std::nullptr_t);
extern template type_error type_error::create(int, const std::string&, const json*);
extern template invalid_iterator invalid_iterator::create(int, const std::string&, const json*);
}  // namespace detail
NLOHMANN_JSON_NAMESPACE_END

#if FMT_VERSION < 100000  // fmt says so itself from then on; logging.cpp has it
extern template void fmt::detail::vformat_to<char>(buffer<char>&, basic_string_view<char>,
                                                   basic_format_args<FMT_BUFFER_CONTEXT(char)>,
                                                   locale_ref);
#endif
