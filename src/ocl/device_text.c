/* The list of devices as a table and as JSON. */
#include <cnncl/device.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "ocl/device_list.h"

enum { COLUMNS = 11, CELL = 128 };

typedef char cell[CELL];

static const char *const headings[COLUMNS] = {"index",  "id",     "name",    "type",
                                              "units",  "clock",  "memory",  "largest",
                                              "driver", "OpenCL", "platform"};

/* The index that no selector means; total where there is none. */
static size_t default_index(const cnn_device_list *list)
{
    size_t index;
    return list->count > 0 && cnn_device_list_pick(&index, list, NULL) == CNN_OK ? index
                                                                                 : list->total;
}

static void fill_row(cell row[COLUMNS], const cnn_device_list *list, size_t index)
{
    const cnn_device_info *info = &list->entries[index].info;
    if (info->usable)
        snprintf(row[0], CELL, "%zu", index);
    else
        strcpy(row[0], "-");
    snprintf(row[1], CELL, "%d:%d", info->platform, info->device);
    snprintf(row[2], CELL, "%s", info->name);
    snprintf(row[3], CELL, "%s", cnn_device_type_name(info->type));
    snprintf(row[4], CELL, "%u", info->compute_units);
    snprintf(row[5], CELL, "%u MHz", info->clock_mhz);
    cnn_format_bytes(row[6], info->memory);
    cnn_format_bytes(row[7], info->max_allocation);
    snprintf(row[8], CELL, "%s", info->driver);
    snprintf(row[9], CELL, "%s", info->opencl);
    snprintf(row[10], CELL, "%s", info->platform_name);
}

static void append_row(cnn_text *text, cell row[COLUMNS], const size_t widths[COLUMNS],
                       const char *mark)
{
    cnn_text_append(text, "%s", mark);
    for (int i = 0; i + 1 < COLUMNS; i++)
        cnn_text_append(text, "%-*s  ", (int)widths[i], row[i]);
    cnn_text_append(text, "%s\n", row[COLUMNS - 1]);
}

static void append_notes(cnn_text *text, const cnn_device_info *info)
{
    if (!info->usable)
        cnn_text_append(text, "         not usable: %s\n", info->reason);
    if (info->twin >= 0)
        cnn_text_append(text, "         likely the same hardware as %d\n", info->twin);
}

cnn_status cnn_device_list_to_text(char **string, const cnn_device_list *list)
{
    CNN_NEED(string, list);
    cnn_text text = {0};
    *string = NULL;
    if (list->total == 0) {
        cnn_device_explain_absence(&text, list);
        cnn_text_append(&text, "\n");
        return cnn_text_take(string, &text);
    }
    cell row[COLUMNS];
    size_t widths[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        widths[i] = strlen(headings[i]);
    for (size_t i = 0; i < list->total; i++) {
        fill_row(row, list, i);
        for (int j = 0; j < COLUMNS; j++)
            widths[j] = strlen(row[j]) > widths[j] ? strlen(row[j]) : widths[j];
    }
    for (int i = 0; i < COLUMNS; i++)
        snprintf(row[i], CELL, "%s", headings[i]);
    append_row(&text, row, widths, "  ");
    size_t chosen = default_index(list);
    for (size_t i = 0; i < list->total; i++) {
        fill_row(row, list, i);
        append_row(&text, row, widths, i == chosen ? "* " : "  ");
        append_notes(&text, &list->entries[i].info);
    }
    if (chosen < list->total)
        cnn_text_append(&text, "* the default; another by --device INDEX, ID or part of a name\n");
    return cnn_text_take(string, &text);
}

static json_t *device_to_json(const cnn_device_list *list, size_t index, size_t chosen)
{
    const cnn_device_info *info = &list->entries[index].info;
    json_t *number = info->usable ? json_integer((json_int_t)index) : json_null();
    json_t *twin = info->twin >= 0 ? json_integer(info->twin) : json_null();
    return json_pack(
        "{s:o, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, "
        "s:s, s:o}",
        "index", number, "platform", info->platform, "device", info->device, "type",
        cnn_device_type_name(info->type), "name", info->name, "platform_name", info->platform_name,
        "vendor", info->vendor, "driver", info->driver, "opencl", info->opencl, "compute_units",
        (json_int_t)info->compute_units, "clock_mhz", (json_int_t)info->clock_mhz, "memory",
        (json_int_t)info->memory, "max_allocation", (json_int_t)info->max_allocation,
        "local_memory", (json_int_t)info->local_memory, "max_work_group",
        (json_int_t)info->max_work_group, "default", index == chosen, "usable", info->usable,
        "reason", info->reason, "twin", twin);
}

cnn_status cnn_device_list_to_json(char **json, const cnn_device_list *list)
{
    CNN_NEED(json, list);
    size_t chosen = default_index(list);
    json_t *devices = json_array();
    bool good = devices != NULL;
    for (size_t i = 0; good && i < list->total; i++)
        good = json_array_append_new(devices, device_to_json(list, i, chosen)) == 0;
    json_t *root = good ? json_pack("{s:O}", "devices", devices) : NULL;
    json_decref(devices);
    return cnn_json_to_text(json, root);
}
