// Small files and small texts: what /proc and /sys are made of.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tidevm::guest {

// The whole file; nothing (with errno set) where it cannot be read.
std::optional<std::string> ReadFile(const std::string& path);

// With the trailing white space off; "" where it cannot be read.
std::string ReadLine(const std::string& path);

// 0, or errno. One write(), as sysfs wants it.
int WriteFile(const std::string& path, std::string_view value);

// The names in a folder, sorted; nothing (with errno set) where it cannot be read.
std::optional<std::vector<std::string>> ListFolder(const std::string& path);

std::vector<std::string> SplitWords(std::string_view text);
std::vector<std::string_view> SplitLines(std::string_view text);

// Nothing unless all of `text` is a decimal number.
std::optional<int> ParseNumber(std::string_view text);

// The kernel's list format: "0-3,6" (and "" for none). Nothing if malformed.
std::optional<std::set<int>> ParseCpuList(std::string_view text);

// The other way, without ranges: "0,1,2,6".
std::string FormatCpuList(const std::set<int>& cpus);

// Since boot, in seconds with six decimals.
std::string Uptime();

}  // namespace tidevm::guest
