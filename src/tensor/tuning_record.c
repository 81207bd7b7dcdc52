/* A record of tuning in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "tensor/tuning_file.h"

cnn_status cnn_gemm_record_set_shapes(cnn_gemm_record *record, const cnn_gemm_shape *shapes,
                                      size_t count)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&record->shapes, count, sizeof *shapes, "a tuning's shapes"));
    CNN_TRY(cnn_allocate(&record->before, count, sizeof(double), "a tuning's times"));
    CNN_TRY(cnn_allocate(&record->after, count, sizeof(double), "a tuning's times"));
    for (size_t i = 0; i < count; i++)
        record->shapes[i] = shapes[i];
    record->shape_count = count;
out:
    return status;
}

static cnn_status grow(cnn_gemm_record *record)
{
    size_t capacity = record->trial_capacity ? 2 * record->trial_capacity : 32;
    cnn_gemm_trial *larger = realloc(record->trials, capacity * sizeof *larger);
    if (!larger)
        return cnn_fail_memory(capacity * sizeof *larger, "a tuning's trials");
    record->trials = larger;
    record->trial_capacity = capacity;
    return CNN_OK;
}

cnn_status cnn_gemm_record_add(cnn_gemm_trial **trial, cnn_gemm_record *record)
{
    cnn_status status = CNN_OK;
    if (record->trial_count == record->trial_capacity)
        CNN_TRY(grow(record));
    cnn_gemm_trial *added = &record->trials[record->trial_count];
    *added = (cnn_gemm_trial){.part = CNN_GEMM_INDIRECT};
    CNN_TRY(cnn_allocate(&added->seconds, record->shape_count, sizeof(double), "a tuning's times"));
    record->trial_count++;
    *trial = added;
out:
    return status;
}

void cnn_gemm_record_finish(cnn_gemm_record *record)
{
    for (size_t i = 0; i < record->trial_count; i++)
        free(record->trials[i].seconds);
    free(record->trials);
    free(record->shapes);
    free(record->before);
    free(record->after);
    *record = (cnn_gemm_record){.shape_count = 0};
}
