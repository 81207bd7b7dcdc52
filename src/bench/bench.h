/* What the files of the bench share. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <cnncl/bench.h>

#include "ocl/profile.h"
#include "plan/plan.h"

typedef enum cnn_bench_phase {
    CNN_BENCH_GATHER,
    CNN_BENCH_FORWARD,
    CNN_BENCH_LOSS,
    CNN_BENCH_BACKWARD,
    CNN_BENCH_UPDATE,
    CNN_BENCH_PHASE_COUNT
} cnn_bench_phase;

/* A row of the table, and what stands behind it. */
typedef struct cnn_bench_entry {
    cnn_bench_row row; /* row.layers points at layers */
    cnn_bench_phase phase;
    int step; /* of the plan; 0 where a phase has only one */
    char layers[2 * CNN_LAYER_NAME_SIZE + 4];
} cnn_bench_entry;

/* When a row ran, in nanoseconds of the device's clock; both 0 where it launched nothing. */
typedef struct cnn_bench_span {
    uint64_t begun, ended;
} cnn_bench_span;

struct cnn_bench {
    cnn_device_info device;
    cnn_bench_summary summary;
    size_t entry_count;
    cnn_bench_entry *entries;
    cnn_profile profile;   /* closed; a record's group is batch * entry_count + entry */
    cnn_bench_span *spans; /* (summary.steps, entry_count) */
};

/* The batches between two waits for the device. */
enum { CNN_BENCH_IN_FLIGHT = 16 };

/* Sets the flops, computed_flops and bytes of an entry of the plan. */
void cnn_bench_count(cnn_bench_entry *entry, const cnn_plan *plan);

/* From the profile's records to spans, and the rows' launches, milliseconds and shares. */
cnn_status cnn_bench_find_times(cnn_bench *bench);

/* Measures summary's peaks; where they are set, the larger value stays. Takes device memory
 * meanwhile. Errors: MEMORY, OPENCL, KERNEL. */
cnn_status cnn_bench_measure_peaks(cnn_bench_summary *summary, cnn_device *device);

#endif
