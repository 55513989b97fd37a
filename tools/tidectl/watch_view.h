// How 'tidectl watch' shows what it has to show. Pure: lines out, nothing else.
#pragma once

#include <string>
#include <vector>

#include "tools/tidectl/render.h"
#include "tools/tidectl/screen.h"
#include "tools/tidectl/watch_model.h"

namespace tidevm::tidectl {

/// At most screen.rows lines, none wider than screen.columns. One row for each CPU where all fit;
/// else short rows side by side, then shorter ones; else the idle CPUs are left out and counted;
/// what even then does not fit is counted too.
std::vector<std::string> RenderWatch(const WatchModel& model, const ScreenSize& screen,
                                     const Style& style);

}  // namespace tidevm::tidectl
