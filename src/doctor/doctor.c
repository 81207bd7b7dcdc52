/* The doctor: its findings, and the devices that it has checked. */
#include "doctor/doctor.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/status.h"
#include "doctor/check.h"

const char *cnn_finding_level_name(cnn_finding_level level)
{
    static const char *const names[] = {"good", "note", "problem"};
    return (size_t)level < sizeof names / sizeof names[0] ? names[level] : "problem";
}

cnn_status cnn_doctor_add(cnn_doctor *doctor, cnn_finding_level level, const char *topic,
                          const char *remedy, const char *format, ...)
{
    char text[1024];
    size_t count = doctor->finding_count + 1;
    cnn_doctor_finding *findings = realloc(doctor->findings, count * sizeof *findings);
    if (!findings)
        return cnn_fail_memory(count * sizeof *findings, "the doctor's findings");
    va_list arguments;
    va_start(arguments, format);
    cnn_format_list(text, sizeof text, format, arguments);
    va_end(arguments);
    doctor->findings = findings;
    cnn_doctor_finding *finding = &findings[doctor->finding_count];
    *finding = (cnn_doctor_finding){level, topic, strdup(text), strdup(remedy)};
    doctor->finding_count = count;
    if (!finding->text || !finding->remedy)
        return cnn_fail_memory(sizeof text, "the doctor's findings");
    return CNN_OK;
}

cnn_status cnn_doctor_create(cnn_doctor **doctor)
{
    CNN_NEED(doctor);
    cnn_doctor *made = NULL;
    cnn_status status = CNN_OK;
    *doctor = NULL;
    CNN_TRY(cnn_allocate(&made, 1, sizeof *made, "a doctor"));
    CNN_TRY(cnn_doctor_look_at_drivers(made));
    CNN_TRY(cnn_doctor_look_at_variables(made));
    CNN_TRY(cnn_doctor_look_at_hardware(made, ""));
    CNN_TRY(cnn_doctor_look_at_caches(made));
    *doctor = made;
    return CNN_OK;
out:
    cnn_doctor_destroy(made);
    return status;
}

void cnn_doctor_device_clear(cnn_doctor_device *result)
{
    for (size_t i = 0; i < result->row_count; i++) {
        free(result->rows[i].kernels);
        free(result->rows[i].detail);
    }
    free(result->rows);
    result->rows = NULL;
    result->row_count = result->failures = result->unchecked = result->starved = 0;
    result->error = 0.0;
}

void cnn_doctor_device_finish(cnn_doctor_device *result)
{
    cnn_doctor_device_clear(result);
    free(result->network);
    free(result->update);
    result->network = NULL;
}

void cnn_doctor_destroy(cnn_doctor *doctor)
{
    if (!doctor)
        return;
    for (size_t i = 0; i < doctor->finding_count; i++) {
        free(doctor->findings[i].text);
        free(doctor->findings[i].remedy);
    }
    free(doctor->findings);
    for (size_t i = 0; i < doctor->device_count; i++)
        cnn_doctor_device_finish(&doctor->devices[i]);
    free(doctor->devices);
    free(doctor);
}

size_t cnn_doctor_finding_count(const cnn_doctor *doctor)
{
    if (!doctor)
        return 0;
    return doctor->finding_count;
}

cnn_finding cnn_doctor_get_finding(const cnn_doctor *doctor, size_t index)
{
    if (!doctor || index >= doctor->finding_count)
        return (cnn_finding){.topic = "", .text = "", .remedy = ""};
    const cnn_doctor_finding *finding = &doctor->findings[index];
    return (cnn_finding){finding->level, finding->topic, finding->text, finding->remedy};
}

bool cnn_doctor_can_list(const cnn_doctor *doctor)
{
    if (!doctor)
        return false;
    return doctor->can_list;
}

void cnn_doctor_options_init(cnn_doctor_options *options)
{
    if (!options)
        return;
    *options = (cnn_doctor_options){.batch = 256};
}

/* What could not be checked leaves an earlier pass as it is. Without kernels none was remembered.
 */
static cnn_status remember(const cnn_doctor_device *result, cnn_device *device,
                           const cnn_network *network, const cnn_train_options *trained)
{
    const cnn_memo memo = {.passed = result->passed};
    cnn_status status = CNN_OK;
    if (!result->passed && result->failures == 0)
        return CNN_OK;
    for (int i = 0; status == CNN_OK && i < 4 * CNN_PLAN_KINDS; i++) {
        cnn_plan_kind kind = cnn_plan_kinds[i / 4];
        kind.augmented = i & 1;
        kind.shaped = i & 2;
        kind.trained = trained;
        status = cnn_memo_write(&memo, device, network, kind, result->batch);
    }
    return status == CNN_ERROR_KERNEL && result->failures > 0 ? CNN_OK : status;
}

/* Of the failure that the thread's message tells, which stays. */
static void add_trouble(cnn_doctor *doctor, const cnn_device_info *info, const char *done)
{
    (void)cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "device",
                         "take another device, or install this one's driver again",
                         "%s (%d:%d, %s) could not be %s: %s", info->name, info->platform,
                         info->device, info->platform_name, done, cnn_error_message());
}

cnn_status cnn_doctor_open(cnn_device **device, cnn_doctor *doctor, const cnn_device_info *info)
{
    CNN_NEED(device, doctor, info);
    char selector[32];
    snprintf(selector, sizeof selector, "%d:%d", info->platform, info->device);
    cnn_status status = cnn_device_create(device, selector);
    if (status != CNN_OK)
        add_trouble(doctor, info, "opened");
    return status;
}

cnn_status cnn_doctor_check(cnn_doctor *doctor, cnn_device *device, const cnn_network *network,
                            const cnn_doctor_options *options)
{
    CNN_NEED(doctor, device, network, options);
    if (cnn_device_check_process(device) != CNN_OK)
        return CNN_ERROR_DEVICE;
    if (options->batch < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--batch: expected 1 or more, found %d",
                        options->batch);
    size_t count = doctor->device_count + 1;
    cnn_doctor_device *devices = realloc(doctor->devices, count * sizeof *devices);
    if (!devices)
        return cnn_fail_memory(count * sizeof *devices, "the checked devices");
    doctor->devices = devices;
    cnn_doctor_device *result = &devices[doctor->device_count];
    *result = (cnn_doctor_device){
        .info = device->info, .kernel_class = device->kernel_class, .batch = options->batch};
    doctor->device_count = count;
    cnn_status status = cnn_network_arguments(&result->network, network);
    if (status == CNN_OK && options->trained)
        status = cnn_update_arguments(&result->update, options->trained);
    if (status == CNN_OK)
        status = cnn_check_thoroughly(result, device, network, options);
    if (status == CNN_OK)
        status = remember(result, device, network, options->trained);
    if (status != CNN_OK)
        add_trouble(doctor, &device->info, "checked to the end");
    return status;
}

size_t cnn_doctor_verdict_count(const cnn_doctor *doctor)
{
    if (!doctor)
        return 0;
    return doctor->device_count;
}

cnn_doctor_verdict cnn_doctor_get_verdict(const cnn_doctor *doctor, size_t device)
{
    if (!doctor || device >= doctor->device_count)
        return (cnn_doctor_verdict){0};
    const cnn_doctor_device *result = &doctor->devices[device];
    return (cnn_doctor_verdict){.device = result->info,
                                .passed = result->passed,
                                .checks = result->row_count,
                                .failures = result->failures,
                                .unchecked = result->unchecked,
                                .starved = result->starved,
                                .error = result->error,
                                .seconds = result->seconds};
}

size_t cnn_doctor_row_count(const cnn_doctor *doctor, size_t device)
{
    if (!doctor || device >= doctor->device_count)
        return 0;
    return doctor->devices[device].row_count;
}

cnn_doctor_row cnn_doctor_row_of(const cnn_doctor_entry *entry)
{
    return (cnn_doctor_row){.part = entry->part,
                            .phase = entry->phase,
                            .name = entry->name,
                            .layers = entry->layers,
                            .kernels = entry->kernels ? entry->kernels : "",
                            .checked = entry->checked,
                            .passed = entry->passed,
                            .error = entry->error,
                            .milliseconds = entry->milliseconds,
                            .wrong = entry->wrong};
}

cnn_doctor_row cnn_doctor_get_row(const cnn_doctor *doctor, size_t device, size_t row)
{
    if (row >= cnn_doctor_row_count(doctor, device))
        return (cnn_doctor_row){"", "", "", "", "", false, false, 0.0, 0.0, ""};
    return cnn_doctor_row_of(&doctor->devices[device].rows[row]);
}
