/* The search for CLBlast's parameters: for each of its two kernels, one parameter at a time, from
 * some starting points, as long as it gets faster. What was tried is in the record and is not tried
 * again, so a search that was ended goes on from the best that it had. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "bench/tune.h"

/* The steps of a parameter; fewer than MOST_STEPS are filled up with zeros behind the first. */
enum { MOST_STEPS = 5 };
typedef struct ladder {
    cnn_gemm_part part;
    const char *name;
    size_t steps[2][MOST_STEPS]; /* for CPUs, and for GPUs */
} ladder;

/* GEMMK and KREG stay as they are: CLBlast 1.5.3 computes wrong with its second kernel. On CPUs a
 * work-group is one work-item: drivers make loops of larger ones. */
static const ladder ladders[] = {
    {CNN_GEMM_INDIRECT, "MWG", {{8, 16, 32, 64}, {16, 32, 64, 128}}},
    {CNN_GEMM_INDIRECT, "NWG", {{4, 8, 16, 32}, {16, 32, 64, 128}}},
    {CNN_GEMM_INDIRECT, "VWM", {{1, 2, 4, 8}, {1, 2, 4, 8}}},
    {CNN_GEMM_INDIRECT, "VWN", {{1, 2, 4, 8}, {1, 2, 4, 8}}},
    {CNN_GEMM_INDIRECT, "KWG", {{8, 16, 32, 64, 128}, {16, 32}}},
    {CNN_GEMM_INDIRECT, "KWI", {{1, 2, 4, 8}, {2, 4, 8}}},
    {CNN_GEMM_INDIRECT, "MDIMC", {{1}, {8, 16, 32}}},
    {CNN_GEMM_INDIRECT, "NDIMC", {{1}, {8, 16, 32}}},
    {CNN_GEMM_INDIRECT, "MDIMA", {{1}, {8, 16, 32}}},
    {CNN_GEMM_INDIRECT, "NDIMB", {{1}, {8, 16, 32}}},
    {CNN_GEMM_INDIRECT, "SA", {{1}, {0, 1}}},
    {CNN_GEMM_INDIRECT, "SB", {{1}, {0, 1}}},
    {CNN_GEMM_INDIRECT, "STRM", {{1}, {0, 1}}},
    {CNN_GEMM_INDIRECT, "STRN", {{1}, {0, 1}}},
    {CNN_GEMM_DIRECT, "WGD", {{8, 16, 32, 64}, {8, 16, 32, 64}}},
    {CNN_GEMM_DIRECT, "VWMD", {{1, 2, 4, 8}, {1, 2, 4, 8}}},
    {CNN_GEMM_DIRECT, "VWND", {{1, 2, 4, 8}, {1, 2, 4, 8}}},
    {CNN_GEMM_DIRECT, "KWID", {{1, 2, 4, 8}, {2, 4, 8, 16}}},
    {CNN_GEMM_DIRECT, "MDIMCD", {{1}, {8, 16, 32}}},
    {CNN_GEMM_DIRECT, "NDIMCD", {{1}, {8, 16, 32}}},
    {CNN_GEMM_DIRECT, "MDIMAD", {{1}, {8, 16, 32}}},
    {CNN_GEMM_DIRECT, "NDIMBD", {{1}, {8, 16, 32}}},
    {CNN_GEMM_DIRECT, "PADA", {{1}, {0, 1}}},
    {CNN_GEMM_DIRECT, "PADB", {{1}, {0, 1}}},
};

enum { LADDERS = sizeof ladders / sizeof ladders[0] };

static cnn_gemm_trial *find_trial(const cnn_tuner *at, cnn_gemm_part part, const size_t *values)
{
    size_t bytes = (size_t)cnn_gemm_parts[part].count * sizeof *values;
    for (size_t i = 0; i < at->record->trial_count; i++) {
        cnn_gemm_trial *trial = &at->record->trials[i];
        if (trial->part == part && memcmp(trial->values, values, bytes) == 0)
            return trial;
    }
    return NULL;
}

/* Seconds of a set, tried now if it was not before; infinite where it cannot be. */
static cnn_status measure(double *seconds, cnn_tuner *at, cnn_gemm_part part, const size_t *values)
{
    cnn_gemm_tuning tuning = {{false}, {{0}}};
    cnn_status status = CNN_OK;
    *seconds = INFINITY;
    cnn_gemm_tuning_give(&tuning, part, values);
    if (at->stopped || !cnn_gemm_tuning_is_legal(&tuning, at->device))
        return CNN_OK;
    if (!find_trial(at, part, values))
        CNN_TRY(cnn_tuner_try(at, part, values));
    *seconds = cnn_tuner_seconds(at, find_trial(at, part, values));
out:
    return status;
}

/* Moves one parameter to the next step up or down. False: there is none. */
static bool take_step(size_t *values, const ladder *on, int class, int direction)
{
    const size_t *steps = on->steps[class];
    size_t *value = &values[cnn_gemm_parameter(on->part, on->name)];
    int at = 0, count = 1;
    while (count < MOST_STEPS && steps[count] > 0)
        count++;
    while (at < count && steps[at] != *value)
        at++;
    int next = at + direction;
    if (at == count || next < 0 || next >= count)
        return false;
    *value = steps[next];
    return true;
}

/* Without local memory for a factor the shape of its copy does not matter: one of them stands for
 * all. */
static void tie(size_t *values, cnn_gemm_part part)
{
    static const struct {
        const char *local, *copy, *compute;
    } rows[] = {{"SA", "MDIMA", "MDIMC"}, {"SB", "NDIMB", "NDIMC"}};
    for (int i = 0; part == CNN_GEMM_INDIRECT && i < 2; i++)
        if (values[cnn_gemm_parameter(part, rows[i].local)] == 0)
            values[cnn_gemm_parameter(part, rows[i].copy)] =
                values[cnn_gemm_parameter(part, rows[i].compute)];
}

/* As far along one ladder as it gets faster. */
static cnn_status climb(bool *moved, cnn_tuner *at, const ladder *on, size_t *best, double *least,
                        int direction)
{
    static const double worth = 0.99;
    int class = at->device->kernel_class == CNN_KERNEL_CPU ? 0 : 1;
    cnn_status status = CNN_OK;
    for (bool better = true; better;) {
        size_t values[CNN_GEMM_MOST_PARAMETERS];
        double seconds;
        memcpy(values, best, sizeof values);
        if (!take_step(values, on, class, direction))
            break;
        tie(values, on->part);
        CNN_TRY(measure(&seconds, at, on->part, values));
        better = seconds < worth * *least;
        if (better) { /* in the same minute, too? */
            cnn_gemm_trial *old = find_trial(at, on->part, best);
            CNN_TRY(cnn_tuner_repeat(at, old));
            *least = cnn_tuner_seconds(at, old);
            better = seconds < worth * *least;
        }
        if (better) {
            memcpy(best, values, sizeof values);
            *least = seconds;
            *moved = true;
        }
    }
out:
    return status;
}

static cnn_status descend(cnn_tuner *at, cnn_gemm_part part)
{
    size_t best[CNN_GEMM_MOST_PARAMETERS];
    cnn_status status = CNN_OK;
    const cnn_gemm_trial *start = cnn_tuner_best(at, part);
    if (!start)
        return CNN_OK;
    memcpy(best, start->values, sizeof best);
    double least = cnn_tuner_seconds(at, start);
    for (bool moved = true; moved && !at->stopped;) {
        moved = false;
        for (int i = 0; i < LADDERS; i++)
            for (int direction = -1; ladders[i].part == part && direction <= 1; direction += 2)
                CNN_TRY(climb(&moved, at, &ladders[i], best, &least, direction));
    }
out:
    return status;
}

/* The direct kernel is passed over where it has no prospect. */
static bool has_prospect(const cnn_tuner *at)
{
    static const double hopeless = 4.0;
    const cnn_gemm_trial *indirect = cnn_tuner_best(at, CNN_GEMM_INDIRECT);
    const cnn_gemm_trial *direct = cnn_tuner_best(at, CNN_GEMM_DIRECT);
    if (!direct || !indirect)
        return direct != NULL;
    for (size_t i = 0; i < at->record->shape_count; i++)
        if (direct->seconds[i] < hopeless * indirect->seconds[i])
            return true;
    return false;
}

static cnn_status search(cnn_tuner *at, const cnn_gemm_tuning *known)
{
    const cnn_gemm_tuning plain = cnn_gemm_plain_tuning(at->device);
    double seconds;
    cnn_status status = CNN_OK;
    for (int part = CNN_GEMM_INDIRECT; part <= CNN_GEMM_DIRECT; part++) {
        if (known && known->given[part])
            CNN_TRY(measure(&seconds, at, (cnn_gemm_part)part, known->values[part]));
        CNN_TRY(measure(&seconds, at, (cnn_gemm_part)part, plain.values[part]));
        if (part == CNN_GEMM_INDIRECT || has_prospect(at))
            CNN_TRY(descend(at, (cnn_gemm_part)part));
    }
    at->record->complete = !at->stopped;
    if (at->record->complete)
        status = cnn_gemm_record_write(&at->tuning->saved, at->record, at->device);
out:
    return status;
}

cnn_status cnn_tune_search(cnn_tuning *tuning, cnn_device *device, const cnn_gemm_tuning *known,
                           cnn_tune_callback callback, void *user)
{
    cnn_tuner at = {.tuning = tuning,
                    .record = &tuning->record,
                    .device = device,
                    .callback = callback,
                    .user = user};
    cnn_status status = CNN_OK;
    cnn_log(CNN_LOG_INFO,
            "tuning CLBlast's %zu products on %s: each set of parameters is compiled, checked and "
            "timed, which takes some seconds",
            at.record->shape_count, device->info.name);
    if (at.record->trial_count > 0)
        cnn_log(CNN_LOG_INFO, "going on behind %zu sets that were tried before",
                at.record->trial_count);
    CNN_TRY(cnn_tuner_init(&at));
    CNN_TRY(cnn_tuner_measure_default(&at));
    status = search(&at, known);
out:
    cnn_tuner_finish(&at);
    return status;
}
