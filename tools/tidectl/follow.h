// Follows operations to their end.
#pragma once

#include "tools/tidectl/commands.h"

namespace tidevm::tidectl {

/// Prints each phase of `operations` (entries of query-vcpu-operations) that was reached, then each
/// as it is reached, until all that options.wait asks for is so, or session.deadline. The client
/// must have been connected before the operations were started, so that no event is missing.
/// Gives the exit code.
int Follow(Session& session, const Json& operations);

}  // namespace tidevm::tidectl
