#include "precompiled/libraries.h"

template class std::basic_string<char>;
template class std::map<std::string, nlohmann::json, std::less<>>;
template class std::vector<nlohmann::json>;

NLOHMANN_JSON_NAMESPACE_BEGIN
template json::basic_json(const json&);
template json::basic_json(initializer_list_t, bool, value_t);
template void json::json_value::destroy(value_t);
template std::string json::dump(int, char, bool, error_handler_t) const;
template bool json::operator==(const json&) const noexcept;
namespace detail {
template class serializer<json>;
template class lexer<json, TextInput>;
template class parser<json, TextInput>;
template bool parser<json, TextInput>::sax_parse_internal(json_sax_dom_parser<json>*);
template bool parser<json, TextInput>::sax_parse_internal(json_sax_dom_callback_parser<json>*);
template class json_sax_dom_parser<json>;
template class json_sax_dom_callback_parser<json>;
template type_error type_error::create(int, const std::string&, std::nullptr_t);
template type_error type_error::create(int, const std::string&, const json*);
template invalid_iterator invalid_iterator::create(int, const std::string&, const json*);
}  // namespace detail
NLOHMANN_JSON_NAMESPACE_END
