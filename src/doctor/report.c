/* A bug report, and the JSON document. */
#include <math.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "base/status.h"
#include "doctor/doctor.h"
#include "ocl/loader.h"

void cnn_doctor_append_command(cnn_text *text, const cnn_doctor_device *result)
{
    cnn_text_append(text, "cnn-cl doctor --device %d:%d", result->info.platform,
                    result->info.device);
    cnn_text_append(text, " %s", result->network);
    cnn_text_append(text, " --batch %d%s", result->batch, result->update ? result->update : "");
}

static void append_machine(cnn_text *text, const cnn_doctor_device *result)
{
    const cnn_device_info *info = &result->info;
    struct utsname system;
    char memory[32];
    cnn_text_append(text, "cnn-cl %s, kernels for %ss, loader %s\n", cnn_version(),
                    result->kernel_class == CNN_KERNEL_CPU ? "CPU" : "GPU", cnn_loader_path());
    if (uname(&system) == 0)
        cnn_text_append(text, "system: %s %s %s\n", system.sysname, system.release, system.machine);
    cnn_text_append(text,
                    "device %d:%d: %s (%s, vendor %s)\nplatform: %s, driver %s, OpenCL %s\n"
                    "%u compute units, %u MHz, %s, work-groups up to %zu, %llu bytes of local "
                    "memory\n",
                    info->platform, info->device, info->name, cnn_device_type_name(info->type),
                    info->vendor, info->platform_name, info->driver, info->opencl,
                    info->compute_units, info->clock_mhz, cnn_format_bytes(memory, info->memory),
                    info->max_work_group, (unsigned long long)info->local_memory);
    cnn_text_append(text, "again by: ");
    cnn_doctor_append_command(text, result);
    cnn_text_append(text, "\n");
}

cnn_status cnn_doctor_report(char **string, const cnn_doctor *doctor, size_t device)
{
    CNN_NEED(string, doctor);
    *string = NULL;
    if (device >= doctor->device_count)
        return cnn_fail(CNN_ERROR_ARGUMENT, "device %zu: expected one of the %zu that were checked",
                        device, doctor->device_count);
    const cnn_doctor_device *result = &doctor->devices[device];
    cnn_text text = {0};
    append_machine(&text, result);
    cnn_text_append(&text, "%zu of %zu checks failed", result->failures, result->row_count);
    if (result->unchecked > 0)
        cnn_text_append(&text, ", %zu could not be made", result->unchecked);
    cnn_text_append(&text, ":\n");
    for (size_t i = 0; i < result->row_count; i++) {
        const cnn_doctor_entry *row = &result->rows[i];
        if (row->passed || !row->checked)
            continue;
        cnn_text_append(&text, "  %s%s%s%s%s%s%s\n    %s\n%s", row->part, *row->phase ? " " : "",
                        row->phase, *row->name ? " " : "", row->name, *row->layers ? " " : "",
                        row->layers, row->wrong, row->detail ? row->detail : "");
    }
    return cnn_text_take(string, &text);
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *row_to_json(const cnn_doctor_entry *entry)
{
    cnn_doctor_row row = cnn_doctor_row_of(entry);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:f, s:o}", "part", row.part,
                     "phase", row.phase, "name", row.name, "layers", row.layers, "kernels",
                     row.kernels, "checked", row.checked, "passed", row.passed, "error",
                     number(row.error), "milliseconds", row.milliseconds, "wrong",
                     cnn_json_string(row.wrong));
}

static json_t *rows_to_json(const cnn_doctor_device *result)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows && i < result->row_count; i++)
        if (json_array_append_new(rows, row_to_json(&result->rows[i])) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    return rows;
}

static json_t *device_to_json(const cnn_doctor *doctor, size_t index)
{
    const cnn_doctor_device *result = &doctor->devices[index];
    char *report = NULL, id[32];
    snprintf(id, sizeof id, "%d:%d", result->info.platform, result->info.device);
    if (result->failures > 0 && cnn_doctor_report(&report, doctor, index) != CNN_OK)
        return NULL;
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:s, s:b, s:I, s:I, s:I, s:o, s:f, s:o, s:o}", "device",
        cnn_json_string(result->info.name), "platform", cnn_json_string(result->info.platform_name),
        "driver", cnn_json_string(result->info.driver), "id", id, "passed", result->passed,
        "checks", (json_int_t)result->row_count, "failures", (json_int_t)result->failures,
        "unchecked", (json_int_t)result->unchecked, "error", number(result->error), "seconds",
        result->seconds, "report", report ? cnn_json_string(report) : json_null(), "rows",
        rows_to_json(result));
    free(report);
    return object;
}

static json_t *finding_to_json(const cnn_doctor_finding *finding)
{
    /* What a driver or a file says may be any bytes. */
    json_t *text = json_string(finding->text), *remedy = json_string(finding->remedy);
    return json_pack("{s:s, s:s, s:o, s:o}", "level", cnn_finding_level_name(finding->level),
                     "topic", finding->topic, "text", text ? text : json_string("not UTF-8"),
                     "remedy", remedy ? remedy : json_string(""));
}

cnn_status cnn_doctor_to_json(char **json, const cnn_doctor *doctor)
{
    CNN_NEED(json, doctor);
    json_t *findings = json_array(), *devices = json_array();
    bool good = findings && devices;
    for (size_t i = 0; good && i < doctor->finding_count; i++)
        good = json_array_append_new(findings, finding_to_json(&doctor->findings[i])) == 0;
    for (size_t i = 0; good && i < doctor->device_count; i++)
        good = json_array_append_new(devices, device_to_json(doctor, i)) == 0;
    json_t *root = good ? json_pack("{s:s, s:O, s:O}", "version", cnn_version(), "findings",
                                    findings, "devices", devices)
                        : NULL;
    json_decref(findings);
    json_decref(devices);
    return cnn_json_to_text(json, root);
}
