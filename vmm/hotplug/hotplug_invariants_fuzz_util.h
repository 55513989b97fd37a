// For the fuzz target: what holds between two events in the life of the controller.
#pragma once

#include "vmm/hotplug/hotplug_test_util.h"

namespace tidevm::hotplug {

/// Where in the life of the machine it is.
struct Moment {
  bool resetting = false;  // threads are ending, the registers are still the old guest's
  bool broken = false;     // KVM gave a vCPU up
};

/// Aborts where one does not hold.
void RequireInvariants(const TestBench& bench, const Moment& moment);

/// After a guest that did all that it was asked for: nothing is pending, and what is present runs.
void RequireAtRest(const TestBench& bench);

}  // namespace tidevm::hotplug
