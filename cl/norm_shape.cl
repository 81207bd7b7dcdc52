/* The shapes and the layout that cl/norm_block.cl and cl/norm_block_backward.cl share.
 *
 * What the block keeps for itself has its channels in vectors of eight, filled up with zeros: z
 * (n, VECTORS, OH, OW, 8), the convolution's output; best (n, VECTORS, PH, PW, 8), each window's
 * largest value normalised; which (n, VECTORS, PH, PW, 8) bytes. `saved` holds, in this order:
 * mean and inverse deviation (2, OC), filled up to STATISTICS floats; z; best; which.
 *
 * The scratch memory holds: sums (items, 2, OC), each work-item's, where the kernels of
 * cl/batchnorm_channels.cl expect them, filled up to SUMS(items) floats; packed weights; then what is the
 * work-items' own.
 *
 * Must be given: IC, IH, IW (input), OC, OH, OW (output of the convolution), K, PAD, PH, PW (pooled
 *   plane); SCRATCH, floats of scratch memory that each of the `items` work-items, which share the
 *   samples, has for itself (src/plan/norm_block.c computes it).
 * With defaults: FIRST 0 (1: the network's first layer, whose input has no dropped channels and
 *   wants no gradient); STORED 1 (0: z is not kept, see cl/norm_first.cl). */
#if !defined(IC) || !defined(IH) || !defined(IW) || !defined(OC) || !defined(OH) ||                \
    !defined(OW) || !defined(K) || !defined(PAD) || !defined(PH) || !defined(PW) ||                \
    !defined(SCRATCH)
#error "IC, IH, IW, OC, OH, OW, K, PAD, PH, PW and SCRATCH must be given"
#endif

#ifndef FIRST
#define FIRST 0
#endif

#ifndef STORED
#define STORED 1
#endif

#define DEAD 4
#define TAPS (K * K)
#define TH (OH + K - 1)
#define TW (OW + K - 1)
#define PLANE (OH * OW)
#define WINDOWS (PH * PW)
#define VECTORS ((OC + 7) / 8)
#define WIDTH (VECTORS * 8)
#define ALIGNED(floats) (((floats) + 15) / 16 * 16)
#define STATISTICS ALIGNED(2 * OC)
#define SUMS(items) ALIGNED((items) * 2 * OC)
#define WEIGHTS (VECTORS * 8 * TAPS * IC)

#include "channels.cl"
#include "loop.cl"

#include "kept.cl"

#define Z(saved) ((saved) + STATISTICS)
#define BEST(saved, n) (Z(saved) + (size_t)(n) * (PLANE * WIDTH))
#define WHICH(type, saved, n) ((type)(BEST(saved, n) + (size_t)(n) * (WINDOWS * WIDTH)))

/* The lanes of a vector of a sample's channels: where a pixel has each, and which are kept. */
typedef struct lanes {
    int at[8];
    int8 kept;
    int order[8], count; /* the lanes that are kept */
} lanes;

/* k: the first kept channel from vector v on. */
static lanes find_lanes(selection output, int v, int k)
{
    lanes found = {.count = 0};
    int kept[8];
    for (int i = 0; i < 8; ++i) {
        kept[i] = k < output.count && output.list[k] == v * 8 + i;
        found.at[i] = kept[i] ? (output.count == output.pitch ? k : output.list[k]) : 0;
        found.order[found.count] = i;
        found.count += kept[i];
        k += kept[i];
    }
    found.kept = vload8(0, kept) != (int8)0;
    return found;
}

/* The first sample of a work-item's stretch. */
static int sample_begin(int n, int item, int items)
{
    return (int)((long)n * item / items);
}
