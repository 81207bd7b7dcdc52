/* The fast check before training. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
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

/* What could not be checked, in one line: a reason stands behind all that it holds for. */
static cnn_status list_unchecked(char **line, const cnn_doctor_device *result)
{
    cnn_text text = {0};
    for (const cnn_doctor_entry *row = find_unchecked(result, 0), *next; row; row = next) {
        next = find_unchecked(result, (size_t)(row - result->rows) + 1);
        append_what(&text, row);
        if (next && strcmp(next->wrong, row->wrong) == 0)
            cnn_text_append(&text, ", ");
        else
            cnn_text_append(&text, ": %s%s", row->wrong, next ? "; " : "");
    }
    return cnn_text_take(line, &text);
}

/* How many of the checks that were not made the thorough check has time for. */
static size_t count_too_large(const cnn_doctor_device *result)
{
    size_t count = 0;
    for (size_t i = 0; i < result->row_count; i++)
        count += strcmp(result->rows[i].wrong, cnn_row_too_large) == 0;
    return count;
}

static cnn_status warn(const cnn_doctor_device *result, const char *line, bool has_time)
{
    cnn_text text = {0};
    char *command;
    cnn_doctor_append_command(&text, result);
    cnn_status status = cnn_text_take(&command, &text);
    if (status != CNN_OK)
        return status;
    cnn_log(CNN_LOG_WARNING, "%s was not checked in full: %s%s%s%s", result->info.name, line,
            has_time ? "; '" : "", has_time ? command : "",
            has_time ? "' takes its time for that" : "");
    free(command);
    return CNN_OK;
}

/* What is too large is remembered with the pass, and told before each training. Memory may suffice
 * the next time. */
static cnn_status judge(const cnn_doctor_device *result, cnn_device *device,
                        const cnn_network *network, cnn_plan_kind kind, int piece)
{
    cnn_memo memo = {.passed = true};
    size_t too_large = count_too_large(result);
    cnn_status status = CNN_OK;
    if (result->failures > 0)
        return refuse(result);
    if (result->unchecked > 0) {
        CNN_TRY(list_unchecked(&memo.left_out, result));
        CNN_TRY(warn(result, memo.left_out, too_large > 0));
    }
    if (result->unchecked == too_large)
        status = cnn_memo_write(&memo, device, network, kind, piece);
out:
    free(memo.left_out);
    return status;
}

/* The samples of a pass. */
static cnn_status find_piece(int *piece, const cnn_network *network,
                             const cnn_train_options *options)
{
    bool *frozen = NULL;
    cnn_status status = CNN_OK;
    if (options->freeze[0] != '\0') {
        CNN_TRY(cnn_allocate(&frozen, (size_t)network->layer_count, sizeof *frozen,
                             "the frozen layers"));
        CNN_TRY(cnn_network_match(frozen, network, options->freeze, "--freeze"));
    }
    status = cnn_plan_divide(piece, network, frozen, options->batch, options->micro_batch);
out:
    free(frozen);
    return status;
}

cnn_status cnn_doctor_admit(cnn_device *device, const cnn_network *network,
                            const cnn_train_options *options)
{
    CNN_NEED(device, network, options);
    if (cnn_device_check_process(device) != CNN_OK)
        return CNN_ERROR_DEVICE;
    cnn_doctor_device result = {.info = device->info, .batch = options->batch};
    cnn_plan_kind kind = {.fuse = options->fuse,
                          .augmented = cnn_augments(&options->augment),
                          .shaped = options->label_smoothing > 0.0 || options->balanced_classes ||
                                    options->augment.mixup > 0.0,
                          .trained = options};
    cnn_memo memo = {0};
    int piece;
    cnn_status status = CNN_OK;
    if (options->batch < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--batch: expected 1 or more, found %d",
                        options->batch);
    CNN_TRY(cnn_network_arguments(&result.network, network));
    CNN_TRY(cnn_update_arguments(&result.update, options));
    CNN_TRY(find_piece(&piece, network, options));
    /* A frozen batch norm may be in pieces; checked, it is trained, in one. */
    kind.pieces = piece < options->batch && !cnn_network_has_batchnorm(network);
    CNN_TRY(cnn_memo_find(&memo, device, network, kind, piece));
    if (memo.passed) {
        if (memo.left_out)
            status = warn(&result, memo.left_out, true);
        goto out;
    }
    CNN_TRY(cnn_check_fast(&result, device, network, kind, piece));
    status = judge(&result, device, network, kind, piece);
    cnn_log(CNN_LOG_DEBUG,
            "%zu checks of %s in %.3f s, beside %.3f s that its kernels took to build; largest "
            "error %.2g",
            result.row_count, device->info.name, result.seconds, result.build_seconds,
            result.error);
out:
    free(memo.left_out);
    cnn_doctor_device_finish(&result);
    return status;
}
