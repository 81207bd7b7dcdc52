/* What both directions of the convolution block (cl/conv_block.cl) agree on.
 *
 * Must be given: IC, IH, IW (input), OC, K, PAD, PH, PW (pooled plane);
 *   SCRATCH  floats of scratch memory per work-item (src/plan/conv_block.c computes it).
 * With a default: FIRST 0 (1: the network's first layer, whose input has no dropped channels and
 *   wants no gradient); NORM 0 (1: with batch norm, see cl/norm_first.cl); OH, OW (the
 *   convolution's output) what the windows cover. */
#if !defined(IC) || !defined(IH) || !defined(IW) || !defined(OC) || !defined(K) || \
    !defined(PAD) || !defined(PH) || !defined(PW) || !defined(SCRATCH)
#error "IC, IH, IW, OC, K, PAD, PH, PW and SCRATCH must be given"
#endif

#ifndef FIRST
#define FIRST 0
#endif

#ifndef NORM
#define NORM 0
#endif

#ifndef OH
#define OH (2 * PH)
#define OW (2 * PW)
#endif

#include "channels.cl"
#include "loop.cl"

#define DEAD 4
#define OCB 16 /* output channels of a register block */
#define BLOCKS ((OC + OCB - 1) / OCB)
#define TAPS (K * K)
#define TH (OH + K - 1)
#define TW (OW + K - 1)
#define WINDOWS (PH * PW)

/* Backward reads and adds eight channels at a time: a pixel of its tile has a multiple of eight,
 * unless the input is narrow and wants no gradient. A row of taps is filled up to whole vectors. */
#define PADDED(channels) (FIRST && IC < 8 ? IC : EIGHTS(channels))
#define ROW(stride) ((K * (stride) + 7) / 8 * 8)

/* The scratch memory. Forward: the packed weights, then SCRATCH floats for each work-item.
 * Backward: the packed rows, each work-item's partial gradients of weights (OC, K, ROW) and bias
 * (OC), PARTIAL floats apart, then SCRATCH floats for each. PARTIAL is moved off the multiples of a
 * page, or the work-items' values of one weight would fall into one set of the cache. */
#define WEIGHTS (BLOCKS * TAPS * IC * OCB)
#define ROWS (OC * K * ROW(PADDED(IC)))
#define PARTIAL ((ROWS + OC + NORM * (OC + SQUARES) + 15) / 16 * 16 + 16)

/* With batch norm a work-item has more partials: the gradients of its weight (OC), and of the input
 * the products SQUARES of each value of a row of taps with the values of this row or one below, and
 * their sums: (K, K, RUN_IN + 1, EIGHTS(RUN_IN)). What the block keeps for itself begins with mean
 * and inverse deviation (2, OC), filled up to STATISTICS floats; then best (n, PH, PW, EIGHTS(OC)),
 * each window's largest value normalised; then which. */
#define RUN_IN (K * IC)
#define SQUARES (K * K * (RUN_IN + 1) * EIGHTS(RUN_IN))
#if NORM
#define STATISTICS ((2 * OC + 15) / 16 * 16)
#define BEST(saved) ((saved) + STATISTICS)
#define WHICH(type, saved, n) ((type)(BEST(saved) + (size_t)(n) * (WINDOWS * EIGHTS(OC))))
#else
#define WHICH(type, saved, n) ((type)(saved))
#endif

#include "kept.cl"
