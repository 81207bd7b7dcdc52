/* The bench of ranks as a table for people, as JSON, and as Chrome trace events ("Trace Event
 * Format", Google). */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "train/rank_bench.h"

static double images_per_second(const cnn_rank_bench_summary *summary)
{
    return summary->milliseconds > 0.0 ? 1e3 * summary->batch / summary->milliseconds : 0.0;
}

/* Of a step, 0 to 1. */
static double share(const cnn_rank_bench_summary *summary, double milliseconds)
{
    return summary->milliseconds > 0.0 ? milliseconds / summary->milliseconds : 0.0;
}

static void append_times(cnn_text *text, const cnn_rank_bench_summary *summary,
                         double communication, double exposed)
{
    cnn_text_append(text, " %10.3f ms %7.3f ms %5.1f%%  ", communication, exposed,
                    100.0 * share(summary, exposed));
}

cnn_status cnn_rank_bench_to_text(char **text, const cnn_rank_bench *bench)
{
    CNN_NEED(text, bench);
    const cnn_rank_bench_summary *summary = &bench->summary;
    cnn_text buffer = {0};
    char bytes[32];
    cnn_text_append(&buffer, "slices communication    exposed   step  rank\n");
    for (int r = 0; r < summary->ranks; r++) {
        const cnn_rank_bench_row *row = &bench->rows[r];
        cnn_text_append(&buffer, "%6d", row->slices);
        append_times(&buffer, summary, row->communication_milliseconds, row->exposed_milliseconds);
        cnn_text_append(&buffer, "%s\n", row->rank);
    }
    cnn_text_append(&buffer, "%6s", "");
    append_times(&buffer, summary, summary->communication_milliseconds,
                 summary->exposed_milliseconds);
    cnn_text_append(&buffer, "in each step on the rank that has least\n");
    cnn_text_append(&buffer,
                    "\nBatch %d over %d rank%s, means of %d training steps, %.3f ms each (%.0f "
                    "images/s); %s to sum.\n"
                    "Communication is the sums over ranks, of gradients and of losses, with the "
                    "waits for slower "
                    "ranks; exposed is what of it went on while the device had nothing to do.\n",
                    summary->batch, summary->ranks, summary->ranks == 1 ? "" : "s", summary->steps,
                    summary->milliseconds, images_per_second(summary),
                    cnn_format_bytes(bytes, summary->bytes));
    return cnn_text_take(text, &buffer);
}

static json_t *row_to_json(const cnn_rank_bench_row *row)
{
    return json_pack("{s:o, s:i, s:f, s:f}", "rank", cnn_json_string(row->rank), "slices",
                     row->slices, "communication_milliseconds", row->communication_milliseconds,
                     "exposed_milliseconds", row->exposed_milliseconds);
}

cnn_status cnn_rank_bench_to_json(char **json, const cnn_rank_bench *bench)
{
    CNN_NEED(json, bench);
    const cnn_rank_bench_summary *summary = &bench->summary;
    json_t *rows = json_array();
    for (int r = 0; rows && r < summary->ranks; r++)
        if (json_array_append_new(rows, row_to_json(&bench->rows[r])) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    return cnn_json_to_text(
        json, json_pack("{s:i, s:i, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "ranks",
                        summary->ranks, "batch", summary->batch, "slices", summary->slices, "steps",
                        summary->steps, "bytes", (json_int_t)summary->bytes, "milliseconds",
                        summary->milliseconds, "images_per_second", images_per_second(summary),
                        "communication_milliseconds", summary->communication_milliseconds,
                        "exposed_milliseconds", summary->exposed_milliseconds, "exposed_share",
                        share(summary, summary->exposed_milliseconds), "rows", rows));
}

enum { STEPS_THREAD = 1, DEVICE_THREAD, TALK_THREAD };

/* Where an event of each kind stands. */
static const struct {
    const char *name;
    int thread;
} kinds[CNN_TIMELINE_KINDS] = {[CNN_TIMELINE_STEP] = {"step", STEPS_THREAD},
                               [CNN_TIMELINE_DEVICE] = {"wait for the device", DEVICE_THREAD},
                               [CNN_TIMELINE_SUM] = {"sum over ranks", TALK_THREAD},
                               [CNN_TIMELINE_TALLY] = {"losses of all", TALK_THREAD}};

static json_t *name_of(int rank, int thread, const char *what, const char *name)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:{s:o}}", "name", what, "ph", "M", "pid", rank + 1,
                     "tid", thread, "args", "name", cnn_json_string(name));
}

static json_t *event_to_json(const cnn_timeline_event *event, int rank)
{
    static const double micro = 1e6;
    json_t *arguments = json_pack("{s:I}", "step", (json_int_t)event->step);
    if (event->kind == CNN_TIMELINE_SUM)
        json_object_update_new(arguments, json_pack("{s:I, s:f}", "bytes", (json_int_t)event->bytes,
                                                    "exposed", micro * event->exposed));
    return json_pack("{s:s, s:s, s:f, s:f, s:i, s:i, s:o}", "name", kinds[event->kind].name, "ph",
                     "X", "ts", micro * event->begun, "dur", micro * (event->ended - event->begun),
                     "pid", rank + 1, "tid", kinds[event->kind].thread, "args", arguments);
}

/* NULL where memory is out. */
static json_t *make_events(const cnn_rank_bench *bench)
{
    json_t *events = json_array();
    int failed = !events;
    for (int r = 0; r < bench->summary.ranks; r++) {
        failed |= json_array_append_new(
            events, name_of(r, STEPS_THREAD, "process_name", bench->rows[r].rank));
        failed |= json_array_append_new(events, name_of(r, STEPS_THREAD, "thread_name", "steps"));
        failed |= json_array_append_new(
            events, name_of(r, DEVICE_THREAD, "thread_name", "waits for the device"));
        failed |=
            json_array_append_new(events, name_of(r, TALK_THREAD, "thread_name", "communication"));
        for (size_t i = 0; i < bench->timelines[r].count; i++)
            failed |=
                json_array_append_new(events, event_to_json(&bench->timelines[r].events[i], r));
    }
    if (!failed)
        return events;
    json_decref(events);
    return NULL;
}

cnn_status cnn_rank_bench_write_trace(const cnn_rank_bench *bench, const char *path)
{
    CNN_NEED(bench, path);
    return cnn_json_write_events(path, make_events(bench));
}
