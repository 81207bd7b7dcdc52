/* One check's row: opened, compared, closed. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "base/rounding.h"
#include "base/status.h"
#include "doctor/check.h"
#include "ocl/loader.h"

const cnn_tolerance cnn_forward_tolerance = {1e-5, 0.0};
const char *const cnn_row_too_large = "too large for a fast check";

const cnn_tolerance cnn_backward_tolerance = {1e-4, 0.0};

cnn_status cnn_row_open(cnn_check *check, const char *phase, const char *name, const char *layers,
                        const cnn_op *op)
{
    cnn_doctor_device *result = check->result;
    size_t count = result->row_count + 1;
    cnn_doctor_entry *rows = realloc(result->rows, count * sizeof *rows);
    if (!rows)
        return cnn_fail_memory(count * sizeof *rows, "the rows of a check");
    result->rows = rows;
    result->row_count = count;
    cnn_doctor_entry *row = &rows[count - 1];
    *row = (cnn_doctor_entry){.part = check->part, .phase = phase, .checked = true, .passed = true};
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->layers, sizeof row->layers, "%s", layers);
    check->row = row;
    check->op = op;
    return CNN_OK;
}

int cnn_row_turns(const cnn_check *check)
{
    return check->options ? 2 : 1;
}

void cnn_row_start(cnn_check *check)
{
    if (check->profile.device)
        cnn_profile_clear(&check->profile);
    check->start = cnn_seconds();
}

/* The kernels that were recorded, each once. */
static void append_recorded(cnn_text *text, const cnn_profile *profile)
{
    for (size_t i = 0; i < profile->complete; i++) {
        size_t before = 0;
        while (before < i && strcmp(profile->records[before].name, profile->records[i].name) != 0)
            before++;
        if (before == i)
            cnn_text_append(text, "%s%s", text->length ? ", " : "", profile->records[i].name);
    }
}

static void append_all(cnn_text *text, const cnn_op *op)
{
    for (int i = 0; i < op->kernel_count; i++)
        if (op->kernels[i].handle)
            cnn_text_append(text, "%s%s", text->length ? ", " : "", op->kernels[i].name);
}

static double find_milliseconds(const cnn_profile *profile)
{
    uint64_t nanoseconds = 0;
    for (size_t i = 0; i < profile->complete; i++)
        nanoseconds += profile->records[i].ended - profile->records[i].started;
    return 1e-6 * (double)nanoseconds;
}

cnn_status cnn_row_stop(cnn_check *check)
{
    cnn_doctor_entry *row = check->row;
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    if (check->profile.device) {
        CNN_TRY(cnn_profile_collect(&check->profile));
        row->milliseconds = find_milliseconds(&check->profile);
        append_recorded(&text, &check->profile);
        cnn_profile_clear(&check->profile);
    } else {
        CNN_TRY(cnn_device_finish(check->device));
        row->milliseconds = 1e3 * (cnn_seconds() - check->start);
        if (check->op)
            append_all(&text, check->op);
    }
    free(row->kernels);
    status = cnn_text_take(&row->kernels, &text);
out:
    cnn_text_finish(&text);
    return status;
}

void cnn_row_fail(cnn_check *check, const char *format, ...)
{
    cnn_doctor_entry *row = check->row;
    char text[CNN_DOCTOR_WRONG];
    va_list arguments;
    va_start(arguments, format);
    cnn_format_list(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *separator = *row->wrong ? "; " : "";
    if (strlen(row->wrong) + strlen(separator) + strlen(text) < sizeof row->wrong)
        strcat(strcat(row->wrong, separator), text);
    row->passed = false;
}

void cnn_row_leave_out(cnn_check *check, const char *reason)
{
    cnn_doctor_entry *row = check->row;
    snprintf(row->wrong, sizeof row->wrong, "%s", reason);
    row->checked = row->passed = false;
    row->error = NAN;
}

cnn_tolerance cnn_long_tolerance(cnn_tolerance tolerance, double length)
{
    tolerance.relative = fmax(tolerance.relative, cnn_rounding(length));
    return tolerance;
}

/* What plain C gives is finite. */
static double distance(float actual, float expected)
{
    return isfinite(actual) ? fabs((double)actual - expected) : INFINITY;
}

bool cnn_is_close(const float *actual, const float *expected, size_t count, cnn_tolerance tolerance)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < count; i++) {
        double at = distance(actual[i], expected[i]);
        difference += at * at;
        norm += (double)expected[i] * expected[i];
    }
    double limit = fmax(tolerance.floor * sqrt((double)count), tolerance.relative * sqrt(norm));
    return sqrt(difference) <= limit;
}

void cnn_row_compare(cnn_check *check, const char *tensor, const float *actual,
                     const float *expected, size_t count, cnn_tolerance tolerance)
{
    double difference = 0.0, norm = 0.0, most = -1.0;
    size_t worst = 0;
    for (size_t i = 0; i < count; i++) {
        double at = distance(actual[i], expected[i]);
        difference += at * at;
        norm += (double)expected[i] * expected[i];
        if (at > most) {
            most = at;
            worst = i;
        }
    }
    if (count == 0 || sqrt(difference) <= tolerance.floor * sqrt((double)count))
        return;
    double error = sqrt(difference) / (norm > 0.0 ? sqrt(norm) : sqrt((double)count));
    if (error > check->row->error)
        check->row->error = error;
    if (error > tolerance.relative)
        cnn_row_fail(check,
                     "%s: relative error %.3g above %.3g; worst of %zu values is number %zu: found "
                     "%.9g, expected %.9g",
                     tensor, error, tolerance.relative, count, worst, (double)actual[worst],
                     (double)expected[worst]);
}

void cnn_row_untouched(cnn_check *check, const char *tensor, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, &values[i], sizeof word);
        if (word == UINT32_MAX)
            continue;
        check->row->error = INFINITY;
        cnn_row_fail(check, "%s: value %zu, which is not this step's to write, became %.9g", tensor,
                     i, (double)values[i]);
        return;
    }
}

static cnn_status look_at_zones(cnn_check *check)
{
    bool damaged;
    cnn_guard_damage damage;
    cnn_status status = cnn_guards_check(&damaged, &damage, &check->guards);
    if (status != CNN_OK || !damaged)
        return status;
    check->row->error = INFINITY;
    if (damage.offset < 0)
        cnn_row_fail(check, "%s (%zu bytes): written to %lld bytes before its begin", damage.what,
                     damage.bytes, -damage.offset);
    else
        cnn_row_fail(check, "%s (%zu bytes): written to %lld bytes behind its end", damage.what,
                     damage.bytes, damage.offset - (long long)damage.bytes);
    return CNN_OK;
}

static bool has_name(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = names; (at = strstr(at, name)) != NULL; at += length)
        if ((at == names || at[-1] == ' ') && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* For the report: the row's own detail, and the kernels with their options. */
static cnn_status write_detail(cnn_check *check, const char *detail)
{
    cnn_text text = {0};
    cnn_doctor_entry *row = check->row;
    if (*detail)
        cnn_text_append(&text, "    %s\n", detail);
    for (int i = 0; check->op && i < check->op->kernel_count; i++) {
        const cnn_kernel *kernel = &check->op->kernels[i];
        if (kernel->handle && (!row->kernels || has_name(row->kernels, kernel->name)))
            cnn_text_append(&text, "    kernel %s %s (groups of %zu)\n", kernel->name,
                            kernel->options, kernel->local_size);
    }
    if (!check->op && row->kernels && *row->kernels)
        cnn_text_append(&text, "    kernels: %s\n", row->kernels);
    return cnn_text_take(&row->detail, &text);
}

cnn_status cnn_row_close(cnn_check *check, const char *detail)
{
    cnn_status status = CNN_OK;
    cnn_doctor_entry *row = check->row;
    CNN_TRY(look_at_zones(check));
    if (!row->checked) {
        check->result->unchecked++;
    } else if (!row->passed) {
        CNN_TRY(write_detail(check, detail));
        check->result->failures++;
    }
    if (row->error > check->result->error)
        check->result->error = row->error;
    check->row = NULL;
    if (check->options && check->options->on_row) {
        cnn_doctor_row told = cnn_doctor_row_of(row);
        check->options->on_row(&told, check->options->user);
    }
out:
    return status;
}

/* Is what failed the doing of the surroundings: of memory, or of the folder that pocl builds in? */
static bool blames_surroundings(const cnn_check *check, cnn_status status)
{
    cnn_text trouble = {0};
    if (status != CNN_ERROR_MEMORY && cnn_device_is_pocl(check->device))
        cnn_pocl_cache_explain(&trouble);
    bool found = trouble.data != NULL;
    cnn_text_finish(&trouble);
    return status == CNN_ERROR_MEMORY || found;
}

cnn_status cnn_row_absorb(cnn_check *check, cnn_status status)
{
    cnn_status opened = CNN_OK;
    if (status == CNN_OK || (status != CNN_ERROR_MEMORY && !check->options))
        return status;
    if (!check->row)
        opened = cnn_row_open(check, "", "plan", "", NULL);
    if (opened != CNN_OK || !check->row)
        return opened;
    if (check->row->passed && blames_surroundings(check, status)) {
        cnn_row_leave_out(check, cnn_error_message());
        check->result->starved += status == CNN_ERROR_MEMORY;
    } else {
        check->row->error = INFINITY;
        cnn_row_fail(check, "%s", cnn_error_message());
    }
    /* The zones of a device that failed are not asked. */
    cnn_guarded *first = check->guards.first;
    check->guards.first = NULL;
    status = cnn_row_close(check, "");
    check->guards.first = first;
    return status;
}
