// <linux/kvm.h>, as C++ must see it. Include this one everywhere.
//
// The header of Linux 6.1 declares open-ended arrays through a macro that puts an empty struct in
// front. That has size 0 in C and size 1 in C++: the structures grow, and with them the ioctl
// numbers, which encode their size ("Inappropriate ioctl for device").
#pragma once

#include <linux/stddef.h>
#undef __DECLARE_FLEX_ARRAY
// NOLINTNEXTLINE(bugprone-reserved-identifier): the kernel's name
#define __DECLARE_FLEX_ARRAY(TYPE, NAME) TYPE NAME[0]
#include <linux/kvm.h>

static_assert(sizeof(kvm_irq_routing) == 8);
static_assert(sizeof(kvm_cpuid2) == 8);
static_assert(sizeof(kvm_msrs) == 8);
static_assert(sizeof(kvm_msr_list) == 4);
