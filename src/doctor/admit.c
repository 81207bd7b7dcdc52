/* The fast check before training. */
#include <string.h>

#include "base/status.h"
#include "doctor/check.h"

static cnn_status refuse(const cnn_doctor_device *result, const cnn_network *network)
{
    const cnn_doctor_entry *row = result->rows;
    while (row->passed)
        row++;
    const cnn_device_info *info = &result->info;
    return cnn_fail(CNN_ERROR_ARITHMETIC,
                    "%s (%d:%d, driver %s) computes wrong: %s%s%s%s%s: %s; 'cnn-cl doctor --device "
                    "%d:%d' with the options of this network (%s) says more",
                    info->name, info->platform, info->device, info->driver, row->phase,
                    *row->name ? " of " : "", row->name, *row->layers ? " " : "", row->layers,
                    row->wrong, info->platform, info->device, network->config.name);
}

cnn_status cnn_doctor_admit(cnn_device *device, const cnn_network *network, bool fuse)
{
    cnn_doctor_device result = {.info = device->info};
    bool passed;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_memo_find(&passed, device, network, fuse));
    if (passed)
        return CNN_OK;
    CNN_TRY(cnn_check_fast(&result, device, network, fuse));
    if (!result.passed)
        status = refuse(&result, network);
    else
        status = cnn_memo_write(true, device, network, fuse);
    cnn_log(CNN_LOG_DEBUG, "%zu checks of %s in %.3f s, largest error %.2g", result.row_count,
            device->info.name, result.seconds, result.error);
out:
    cnn_doctor_device_finish(&result);
    return status;
}
