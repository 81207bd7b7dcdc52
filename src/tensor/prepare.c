/* Which parameters CLBlast gets before its first product. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tensor/gemm_check.h"
#include "tensor/tuning_file.h"

/* Puts a record's values to use. A driver may have changed under the name of its version: they are
 * looked at again, in milliseconds. */
static cnn_status use_record(bool *used, cnn_device *device, const cnn_gemm_record *record)
{
    enum { MOST_BEYOND = 1024 };
    const cnn_gemm_tuning *tuning = &record->tuning;
    size_t beyond = tuning->given[CNN_GEMM_SWITCH] ? tuning->values[CNN_GEMM_SWITCH][0] : 0;
    *used = false;
    cnn_status status = cnn_gemm_use(device, tuning);
    if (status == CNN_OK)
        status = cnn_gemm_check(used, device, false, beyond < MOST_BEYOND ? beyond : 0);
    /* Values that no longer build are as bad as wrong ones; memory that is out is not theirs. */
    return status == CNN_ERROR_MEMORY ? status : CNN_OK;
}

static void warn(const cnn_device *device)
{
    char *path;
    if (cnn_gemm_record_path(&path, device) == CNN_OK && path)
        cnn_log(CNN_LOG_WARNING,
                "%s is left aside: matrix products with its values are not right; remove it, or "
                "run 'cnn-cl bench --tune' to make a new one",
                path);
    free(path);
}

static cnn_status use_default(cnn_device *device, bool overridden)
{
    cnn_gemm_tuning tuning = cnn_gemm_default_tuning(device);
    strcpy(device->tuning, "default");
    if (overridden && !tuning.given[CNN_GEMM_INDIRECT]) {
        /* CLBlast's own values cannot be had back in this process. */
        tuning = cnn_gemm_plain_tuning(device);
        cnn_gemm_tuning_fingerprint(device->tuning, &tuning);
    }
    return cnn_gemm_use(device, &tuning);
}

cnn_status cnn_gemm_prepare(cnn_device *device)
{
    cnn_gemm_record record = {.shape_count = 0};
    bool found = false, used = false;
    cnn_status status = CNN_OK;
    if (*device->tuning)
        return CNN_OK;
    if (device->told_compiling) /* no cache had the plan's own kernels */
        cnn_log(CNN_LOG_INFO,
                "CLBlast's kernels are compiled at the first step: ten seconds or so");
    CNN_TRY(cnn_gemm_record_read(&record, &found, device));
    if (found) {
        CNN_TRY(use_record(&used, device, &record));
        if (!used)
            warn(device);
    }
    if (used) {
        cnn_gemm_tuning_fingerprint(device->tuning, &record.tuning);
        cnn_log(CNN_LOG_DEBUG, "matrix products are tuned: %s", device->tuning);
    } else {
        status = use_default(device, found && record.tuning.given[CNN_GEMM_INDIRECT]);
    }
out:
    cnn_gemm_record_finish(&record);
    return status;
}
