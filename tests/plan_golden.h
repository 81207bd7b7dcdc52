/* A whole network on the device against what PyTorch computed. */
#ifndef TESTS_PLAN_GOLDEN_H
#define TESTS_PLAN_GOLDEN_H

#include "golden.h"
#include "plan_case.h"

/* What is promised of whole networks, norm-wise. */
extern const plan_tolerance promised_tolerance;

/* Logits in both modes, loss and gradients of one step, and the losses of Adam's steps on one
 * batch. */
void check_network_golden(const golden_case *golden, bool fuse);

#endif
