// The files of /proc, debugfs and tracefs: read whole, written with one write().
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tidevm::guest_tests {

/// Without a last line end; nullopt, with errno set, where it cannot be read.
std::optional<std::string> ReadSmallFile(const std::filesystem::path& path);

/// False, with errno set, where it cannot be written. Opened to be emptied, which is how a trace
/// is.
bool WriteSmallFile(const std::filesystem::path& path, std::string_view text);

}  // namespace tidevm::guest_tests
