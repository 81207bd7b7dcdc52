/* The fast check before training. */
#include <stdlib.h>

#include "base/status.h"
#include "doctor/check.h"

static cnn_status refuse(const cnn_doctor_device *result)
{
    cnn_text text = {0};
    char *command;
    const cnn_doctor_entry *row = result->rows;
    while (row->passed)
        row++;
    const cnn_device_info *info = &result->info;
    cnn_doctor_append_command(&text, result);
    cnn_status status = cnn_text_take(&command, &text);
    if (status != CNN_OK)
        return status;
    status = cnn_fail(CNN_ERROR_ARITHMETIC,
                      "%s (%d:%d, driver %s) computes wrong: %s%s%s%s%s: %s; '%s' says more",
                      info->name, info->platform, info->device, info->driver, row->phase,
                      *row->phase && *row->name ? " of " : "", row->name, *row->layers ? " " : "",
                      row->layers, row->wrong, command);
    free(command);
    return status;
}

cnn_status cnn_doctor_admit(cnn_device *device, const cnn_network *network, bool fuse, bool pieces)
{
    cnn_doctor_device result = {.info = device->info, .config = network->config};
    const cnn_plan_kind kind = {fuse, pieces && network->statistic_count == 0};
    bool passed;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_memo_find(&passed, device, network, kind));
    if (passed)
        return CNN_OK;
    status = cnn_check_fast(&result, device, network, kind);
    if (status == CNN_ERROR_MEMORY) { /* zones and copies take more than the training does */
        cnn_log(CNN_LOG_WARNING, "%s was not checked: %s", device->info.name, cnn_error_message());
        status = CNN_OK;
        goto out;
    }
    CNN_TRY(status);
    if (!result.passed)
        status = refuse(&result);
    else
        status = cnn_memo_write(true, device, network, kind);
    cnn_log(CNN_LOG_DEBUG, "%zu checks of %s in %.3f s, largest error %.2g", result.row_count,
            device->info.name, result.seconds, result.error);
out:
    cnn_doctor_device_finish(&result);
    return status;
}
