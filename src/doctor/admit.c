/* The fast check before training. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "doctor/check.h"

/* "forward of conv2d_00..dropout2d_03", "gather", "product 256 x 32 x 3136 linear_09". */
static void append_what(cnn_text *text, const cnn_doctor_entry *row)
{
    bool is_product = strcmp(row->part, "product") == 0;
    bool named = *row->name && (is_product || !*row->layers);
    cnn_text_append(text, "%s%s%s%s%s", is_product ? "product " : row->phase,
                    *row->phase && (*row->name || *row->layers) ? " of " : "",
                    named ? row->name : "", named && *row->layers ? " " : "", row->layers);
}

static cnn_status refuse(const cnn_doctor_device *result)
{
    cnn_text what = {0}, command = {0};
    const cnn_doctor_entry *row = result->rows;
    while (row->passed || !row->checked)
        row++;
    const cnn_device_info *info = &result->info;
    append_what(&what, row);
    cnn_doctor_append_command(&command, result);
    cnn_status status =
        what.failed || command.failed
            ? cnn_fail_memory(what.length + command.length, "a message")
            : cnn_fail(CNN_ERROR_ARITHMETIC,
                       "%s (%d:%d, driver %s) computes wrong: %s: %s; '%s' says more", info->name,
                       info->platform, info->device, info->driver, what.data, row->wrong,
                       command.data);
    cnn_text_finish(&what);
    cnn_text_finish(&command);
    return status;
}

/* The next row that is not checked; NULL behind the last. */
static const cnn_doctor_entry *find_unchecked(const cnn_doctor_device *result, size_t from)
{
    for (size_t i = from; i < result->row_count; i++)
        if (!result->rows[i].checked)
            return &result->rows[i];
    return NULL;
}

/* One line for all that could not be checked: a reason stands behind all that it holds for. */
static cnn_status warn(const cnn_doctor_device *result)
{
    cnn_text text = {0};
    char *line;
    bool has_time = false; /* the thorough check has for some of it */
    for (const cnn_doctor_entry *row = find_unchecked(result, 0), *next; row; row = next) {
        next = find_unchecked(result, (size_t)(row - result->rows) + 1);
        append_what(&text, row);
        if (next && strcmp(next->wrong, row->wrong) == 0)
            cnn_text_append(&text, ", ");
        else
            cnn_text_append(&text, ": %s%s", row->wrong, next ? "; " : "");
        has_time = has_time || strcmp(row->wrong, cnn_row_too_large) == 0;
    }
    if (has_time) {
        cnn_text_append(&text, "; '");
        cnn_doctor_append_command(&text, result);
        cnn_text_append(&text, "' takes its time for that");
    }
    cnn_status status = cnn_text_take(&line, &text);
    if (status != CNN_OK)
        return status;
    cnn_log(CNN_LOG_WARNING, "%s was not checked in full: %s", result->info.name, line);
    free(line);
    return CNN_OK;
}

/* A pass is one of all checks: what was left out is said again before the next training. */
static cnn_status judge(const cnn_doctor_device *result, const cnn_device *device,
                        const cnn_network *network, cnn_plan_kind kind)
{
    if (result->failures > 0)
        return refuse(result);
    if (result->unchecked > 0)
        return warn(result);
    return cnn_memo_write(true, device, network, kind);
}

cnn_status cnn_doctor_admit(cnn_device *device, const cnn_network *network,
                            const cnn_train_options *options)
{
    cnn_doctor_device result = {
        .info = device->info, .config = network->config, .batch = options->batch};
    cnn_plan_kind kind = {.fuse = options->fuse};
    int piece;
    bool passed;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_plan_divide(&piece, network, options->batch, options->micro_batch));
    kind.pieces = piece < options->batch;
    CNN_TRY(cnn_memo_find(&passed, device, network, kind));
    if (passed)
        return CNN_OK;
    CNN_TRY(cnn_check_fast(&result, device, network, kind, piece));
    status = judge(&result, device, network, kind);
    cnn_log(CNN_LOG_DEBUG, "%zu checks of %s in %.3f s, largest error %.2g", result.row_count,
            device->info.name, result.seconds, result.error);
out:
    cnn_doctor_device_finish(&result);
    return status;
}
