// Operations on their way, one line for each, for a terminal.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tools/tidectl/progress.h"
#include "tools/tidectl/render.h"
#include "tools/tidectl/screen.h"

namespace tidevm::tidectl {

/// "vCPU 3 add  requested · created · notified … 0.42 s", none wider than the screen: where they
/// do not fit, the first phases are left out. Where there are more operations than rows (less one
/// for the cursor), those that are pending come first, and a last line counts the rest.
/// `ages[i]`: time since the request of `operations[i]`; for one that ended, of its end.
std::vector<std::string> RenderProgress(const std::vector<const Progress*>& operations,
                                        const std::vector<std::chrono::nanoseconds>& ages,
                                        const ScreenSize& screen, const Style& style);

}  // namespace tidevm::tidectl
