#include "firmware/aml_resources.h"

#include <cstdint>
#include <vector>

#include "firmware/aml.h"
#include "firmware/bytes.h"
#include "tidevm/ids.h"

namespace tidevm::firmware::aml {

Resource Io(std::uint16_t port, std::uint8_t count) {
  constexpr std::uint8_t kIoPortTag = 0x47;
  constexpr std::uint8_t kDecode16 = 1;
  constexpr std::uint8_t kAlignment = 1;
  Resource resource;
  Append(resource.bytes, kIoPortTag);
  Append(resource.bytes, kDecode16);
  Append(resource.bytes, port);  // lowest base
  Append(resource.bytes, port);  // highest base
  Append(resource.bytes, kAlignment);
  Append(resource.bytes, count);
  return resource;
}

Resource Interrupt(Trigger trigger, Gsi gsi) {
  constexpr std::uint8_t kExtendedInterruptTag = 0x89;
  constexpr std::uint16_t kLength = 6;
  constexpr std::uint8_t kConsumer = 1U << 0;
  constexpr std::uint8_t kEdge = 1U << 1;
  // Bits 2 (active low) and 3 (shared) stay 0.
  constexpr std::uint8_t kCount = 1;
  Resource resource;
  Append(resource.bytes, kExtendedInterruptTag);
  Append(resource.bytes, kLength);
  Append(resource.bytes,
         static_cast<std::uint8_t>(kConsumer | (trigger == Trigger::kEdge ? kEdge : 0U)));
  Append(resource.bytes, kCount);
  Append(resource.bytes, gsi);
  return resource;
}

Term ResourceTemplate(const std::vector<Resource>& resources) {
  constexpr std::uint16_t kEndTag = 0x0079;  // checksum 0: "treat as valid"
  Bytes content;
  for (const Resource& resource : resources) {
    Append(content, resource.bytes);
  }
  Append(content, kEndTag);
  return Buffer(content);
}

}  // namespace tidevm::firmware::aml
