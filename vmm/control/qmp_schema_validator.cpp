#include "vmm/control/qmp_schema_validator.h"

#include <fstream>

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace tidevm::control {

using valijson::adapters::NlohmannJsonAdapter;

QmpSchema::QmpSchema() {
  std::ifstream file(TIDEVM_QMP_SCHEMA);
  document_ = Json::parse(file);
}

QmpSchema::~QmpSchema() = default;

std::string QmpSchema::Errors(const std::string& pointer, const Json& value) {
  valijson::Validator validator;
  valijson::ValidationResults results;
  validator.validate(SchemaAt(pointer), NlohmannJsonAdapter(value), &results);
  std::string text;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    for (const std::string& step : error.context) {
      text += step;
    }
    text += ": " + error.description + "\n";
  }
  return text;
}

const valijson::Schema& QmpSchema::SchemaAt(const std::string& pointer) {
  auto& schema = schemas_[pointer];
  if (schema == nullptr) {
    Json root = document_;
    if (pointer != "#") {  // the same document with another root
      root.erase("anyOf");
      root["$ref"] = pointer;
    }
    auto parsed = std::make_unique<valijson::Schema>();
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(NlohmannJsonAdapter(root), *parsed);
    schema = std::move(parsed);
  }
  return *schema;
}

}  // namespace tidevm::control
