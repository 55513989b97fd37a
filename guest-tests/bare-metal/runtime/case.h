// What a guest is made of: cases, of which the command line chooses one ("case=NAME"). A case that
// returns has passed.
#pragma once

namespace tidevm::bare_metal {

struct Case {
  const char* name;
  void (*run)();
};

}  // namespace tidevm::bare_metal

/// Defines a case: BARE_METAL_CASE(Name) { ... }
#define BARE_METAL_CASE(Name)                                                                      \
  static void Name();                                                                              \
  [[gnu::section("bare_metal_cases"), gnu::used]] static constinit const Case k##Name##Case{#Name, \
                                                                                            Name}; \
  static void Name()
