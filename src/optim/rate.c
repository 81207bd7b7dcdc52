/* The formulas of torch.optim.lr_scheduler, in closed form and in double. */
#include "optim/rate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "base/real.h"
#include "base/text.h"
#include "optim/words.h"

static const double pi = 3.14159265358979323846;
static const double adam_momentum = 0.9;

/* OneCycleLR's defaults: the rate begins at 1/25 of the largest, and ends at 1e-4 of that; the
 * momentum goes the other way. */
static const double first_part = 1.0 / 25.0, last_part = 1e-4, rising = 0.3;
static const double low_momentum = 0.85, high_momentum = 0.95;

/* A run: how long it is, in steps, and where it is. */
typedef struct course {
    double epoch, all, warmup, at;
} course;

static double constant_part(const cnn_train_options *options, const course *of)
{
    (void)options;
    (void)of;
    return 1.0;
}

/* CosineAnnealingLR behind the warm-up, to 0 one step behind the last. */
static double cosine_part(const cnn_train_options *options, const course *of)
{
    (void)options;
    double left = of->all - of->warmup;
    return left > 0.0 ? 0.5 * (1.0 + cnn_real_cos(pi * (of->at - of->warmup) / left)) : 1.0;
}

/* MultiStepLR: the epochs are counted from the beginning of the run. */
static double step_part(const cnn_train_options *options, const course *of)
{
    double part = 1.0, epoch = floor(of->at / of->epoch);
    for (int i = 0; i < options->schedule.milestone_count; i++)
        part *= epoch >= options->schedule.milestones[i] ? options->schedule.factor : 1.0;
    return part;
}

static const struct kind_row {
    const char *name;
    double (*part)(const cnn_train_options *options, const course *of); /* of the rate */
} kinds[] = {
    [CNN_SCHEDULE_CONSTANT] = {"constant", constant_part},
    [CNN_SCHEDULE_COSINE] = {"cosine", cosine_part},
    [CNN_SCHEDULE_STEP] = {"step", step_part},
    [CNN_SCHEDULE_ONECYCLE] = {"onecycle", NULL},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* From start to end on half a wave, as far as `part` of the way. */
static double anneal(double start, double end, double part)
{
    return end + 0.5 * (start - end) * (1.0 + cnn_real_cos(pi * part));
}

/* OneCycleLR with two phases. */
static cnn_rate one_cycle(const cnn_train_options *options, const course *of)
{
    bool cycles = !options->fixed_momentum;
    double rise = options->warmup > 0.0 ? fmax(of->warmup, 1.0) : rising * of->all;
    double peak = rise - 1.0, end = of->all - 1.0;
    double first = first_part * options->lr, low = low_momentum, high = high_momentum;
    cnn_rate rate = {0};
    if (of->at <= peak || end <= peak) {
        double part = peak > 0.0 ? fmin(of->at / peak, 1.0) : 1.0;
        rate.lr = anneal(first, options->lr, part);
        rate.momentum = anneal(high, low, part);
    } else {
        double part = fmin((of->at - peak) / (end - peak), 1.0);
        rate.lr = anneal(options->lr, last_part * first, part);
        rate.momentum = anneal(low, high, part);
    }
    if (!cycles)
        rate.momentum = options->momentum;
    return rate;
}

cnn_rate cnn_rate_at(const cnn_train_options *options, size_t epoch_steps, uint64_t step)
{
    double epoch = epoch_steps > 0 ? (double)epoch_steps : 1.0;
    const course of = {.epoch = epoch,
                       .all = epoch * options->epochs,
                       .warmup = floor(epoch * options->warmup + 0.5),
                       .at = (double)step};
    bool sgd = options->optimizer == CNN_OPTIMIZER_SGD;
    cnn_rate rate = {options->lr, sgd ? options->momentum : adam_momentum};
    const struct kind_row *kind = &kinds[options->schedule.kind];
    if (!kind->part) {
        rate = one_cycle(options, &of);
        if (options->fixed_momentum && !sgd)
            rate.momentum = adam_momentum;
    } else if (of.at < of.warmup) {
        rate.lr *= (of.at + 1.0) / of.warmup;
    } else {
        rate.lr *= kind->part(options, &of);
    }
    return rate;
}

int cnn_rate_milestones(const cnn_train_options *options)
{
    const cnn_rate_schedule *schedule = &options->schedule;
    int reached = 0;
    while (reached < schedule->milestone_count && reached < CNN_MAX_MILESTONES &&
           schedule->milestones[reached] < options->epochs)
        reached++;
    return reached;
}

bool cnn_rate_knows_end(const cnn_train_options *options)
{
    return options->schedule.kind == CNN_SCHEDULE_COSINE ||
           options->schedule.kind == CNN_SCHEDULE_ONECYCLE;
}

static void write_schedule(char text[CNN_WORDS_SIZE], const cnn_train_options *options)
{
    const cnn_rate_schedule *schedule = &options->schedule;
    size_t length = (size_t)snprintf(text, CNN_WORDS_SIZE, "%s", kinds[schedule->kind].name);
    if (schedule->kind != CNN_SCHEDULE_STEP)
        return;
    for (int i = 0; i < schedule->milestone_count; i++)
        length += (size_t)snprintf(text + length, CNN_WORDS_SIZE - length, "%c%d", i ? ',' : '=',
                                   schedule->milestones[i]);
    cnn_format(text + length, CNN_WORDS_SIZE - length, ":%.17g", schedule->factor);
}

/* "E,E", ascending. */
static bool read_milestones(cnn_rate_schedule *schedule, char *text)
{
    enum { MOST_EPOCHS = 1000000 };
    int64_t epoch = 0;
    char *next;
    for (char *at = text; at; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = '\0';
        if (schedule->milestone_count == CNN_MAX_MILESTONES ||
            !cnn_parse_int(&epoch, at, epoch + 1, MOST_EPOCHS))
            return false;
        schedule->milestones[schedule->milestone_count++] = (int)epoch;
    }
    return true;
}

/* "E,E:F" */
static bool read_steps(cnn_rate_schedule *schedule, const char *text)
{
    char copy[CNN_WORDS_SIZE];
    if (strlen(text) >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%s", text);
    char *factor = strchr(copy, ':');
    *schedule = (cnn_rate_schedule){.kind = CNN_SCHEDULE_STEP};
    if (!factor)
        return false;
    *factor++ = '\0';
    return read_milestones(schedule, copy) && cnn_parse_double(&schedule->factor, factor) &&
           schedule->factor > 0.0 && isfinite((float)schedule->factor) &&
           (float)schedule->factor > 0.0f;
}

static bool read_schedule(cnn_train_options *options, const char *text)
{
    if (strncmp(text, "step=", strlen("step=")) == 0)
        return read_steps(&options->schedule, text + strlen("step="));
    for (int i = 0; i < KINDS; i++)
        if (i != CNN_SCHEDULE_STEP && strcmp(text, kinds[i].name) == 0) {
            options->schedule = (cnn_rate_schedule){.kind = (cnn_schedule_kind)i};
            return true;
        }
    return false;
}

const cnn_option_words cnn_schedule_words = {
    "constant, cosine, onecycle, or step=E,E:F with ascending epochs and a factor above 0",
    write_schedule, read_schedule};
