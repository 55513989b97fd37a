// For tests: docs/qmp-schema.json, and what it says of a message.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "vmm/control/qmp_message.h"

namespace valijson {
class Schema;
}

namespace tidevm::control {

class QmpSchema {
 public:
  /// Throws where the file is missing or is no JSON.
  QmpSchema();
  QmpSchema(const QmpSchema&) = delete;
  QmpSchema& operator=(const QmpSchema&) = delete;
  ~QmpSchema();

  const Json& document() const { return document_; }

  /// What is wrong with `value` by the schema at `pointer`, "#" or "#/commands/stop/returns": a
  /// line for each mistake, "" where there is none. Throws where there is no such schema.
  std::string Errors(const std::string& pointer, const Json& value);

 private:
  const valijson::Schema& SchemaAt(const std::string& pointer);

  Json document_;
  std::map<std::string, std::unique_ptr<valijson::Schema>> schemas_;  // by pointer
};

}  // namespace tidevm::control
