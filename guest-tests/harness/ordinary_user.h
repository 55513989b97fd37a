// tidevm as a user without rights, whoever runs the tests.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tidevm/result.h"

namespace tidevm::guest_tests {

/// Whether TIDEVM_AS_USER asks for it in all tests.
bool AsUserWanted();

/// `command` run as the user nobody, in the group that owns /dev/kvm and in no other. As it is
/// where the tests themselves are not root's.
std::vector<std::string> AsOrdinaryUser(std::vector<std::string> command);

/// Gives a folder or file to that user.
Result<void> GiveToOrdinaryUser(const std::string& path);

}  // namespace tidevm::guest_tests
