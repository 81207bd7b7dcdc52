/* Chrome trace events ("Trace Event Format", Google): complete events ("X") on two threads, and
 * metadata ("M") that names them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/status.h"
#include "bench/bench.h"

enum { PROCESS = 1, ROWS_THREAD = 1, COMMANDS_THREAD = 2 };

/* Microseconds since the first command was queued. */
static double since(uint64_t origin, uint64_t time)
{
    return time > origin ? 1e-3 * (double)(time - origin) : 0.0;
}

static uint64_t find_origin(const cnn_bench *bench)
{
    uint64_t origin = UINT64_MAX;
    for (size_t i = 0; i < bench->profile.complete; i++) {
        const cnn_profile_record *record = &bench->profile.records[i];
        const uint64_t times[] = {record->queued, record->started};
        for (int t = 0; t < 2; t++) /* drivers exist that leave "queued" zero */
            if (times[t] > 0 && times[t] < origin)
                origin = times[t];
    }
    return origin;
}

static json_t *name_thread(int thread, const char *what, const char *name)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "name", what, "ph", "M", "pid", PROCESS,
                     "tid", thread, "args", "name", name);
}

static json_t *row_event(const cnn_bench *bench, size_t group, uint64_t origin)
{
    const cnn_bench_span *span = &bench->spans[group];
    const cnn_bench_row *row = &bench->entries[group % bench->entry_count].row;
    char name[160];
    snprintf(name, sizeof name, "%s%s%s", row->phase, *row->layers ? " " : "", row->layers);
    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:i, s:{s:I, s:s}}", "name", name, "cat",
                     row->phase, "ph", "X", "ts", since(origin, span->begun), "dur",
                     since(span->begun, span->ended), "pid", PROCESS, "tid", ROWS_THREAD, "args",
                     "batch", (json_int_t)(group / bench->entry_count), "step", row->name);
}

static json_t *command_event(const cnn_bench *bench, const cnn_profile_record *record,
                             uint64_t origin)
{
    const cnn_bench_row *row = &bench->entries[record->group % bench->entry_count].row;
    return json_pack(
        "{s:s, s:s, s:s, s:f, s:f, s:i, s:i, s:{s:I, s:s, s:f, s:f}}", "name", record->name, "cat",
        row->phase, "ph", "X", "ts", since(origin, record->started), "dur",
        since(record->started, record->ended), "pid", PROCESS, "tid", COMMANDS_THREAD, "args",
        "batch", (json_int_t)(record->group / bench->entry_count), "layers", row->layers, "queued",
        since(origin, record->queued), "submitted", since(origin, record->submitted));
}

/* NULL where memory is out. */
static json_t *make_events(const cnn_bench *bench)
{
    uint64_t origin = find_origin(bench);
    size_t groups = (size_t)bench->summary.steps * bench->entry_count;
    json_t *events = json_array();
    int failed = !events;
    failed |=
        json_array_append_new(events, name_thread(ROWS_THREAD, "process_name", bench->device.name));
    failed |= json_array_append_new(events, name_thread(ROWS_THREAD, "thread_name", "steps"));
    failed |= json_array_append_new(events, name_thread(COMMANDS_THREAD, "thread_name", "kernels"));
    for (size_t i = 0; i < groups; i++)
        if (bench->spans[i].ended > 0)
            failed |= json_array_append_new(events, row_event(bench, i, origin));
    for (size_t i = 0; i < bench->profile.complete; i++)
        failed |=
            json_array_append_new(events, command_event(bench, &bench->profile.records[i], origin));
    if (!failed)
        return events;
    json_decref(events);
    return NULL;
}

cnn_status cnn_bench_write_trace(const cnn_bench *bench, const char *path)
{
    CNN_NEED(bench, path);
    return cnn_json_write_events(path, make_events(bench));
}
