#include "train/options.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "net/network.h"
#include "optim/optimizer.h"
#include "optim/rate.h"
#include "optim/words.h"
#include "plan/plan.h"
#include "train/augment_words.h"

typedef enum option_kind { WHOLE, NUMBER, SEED, FLAG, WORDS, PATTERNS } option_kind;

/* What an option may do between a checkpoint and the run that goes on from it. */
typedef enum option_rule { STAYS, GROWS, FREE } option_rule;

typedef struct option_row {
    const char *name; /* the field's, and the key in JSON */
    const char *flag; /* the command's option */
    size_t offset;
    option_kind kind;
    option_rule rule;
    bool added;                    /* older checkpoints do not have it */
    const cnn_option_words *words; /* of WORDS */
} option_row;

#define ROW(field, flag, kind, rule)                                                               \
    {                                                                                              \
#field, flag, offsetof(cnn_train_options, field), kind, rule, false, NULL                  \
    }

#define ADDED(field, flag, kind, rule)                                                             \
    {                                                                                              \
#field, flag, offsetof(cnn_train_options, field), kind, rule, true, NULL                   \
    }

#define TEXT(field, flag, words, rule)                                                             \
    {                                                                                              \
#field, flag, offsetof(cnn_train_options, field), WORDS, rule, true, words                 \
    }

static const option_row rows[] = {
    ROW(epochs, "--epochs", WHOLE, GROWS),
    ROW(batch, "--batch", WHOLE, STAYS),
    ADDED(micro_batch, "--micro-batch", WHOLE, FREE),
    ADDED(slices, "--slices", WHOLE, STAYS),
    ROW(lr, "--lr", NUMBER, STAYS),
    ROW(seed, "--seed", SEED, STAYS),
    ROW(print_every, "--print-every", WHOLE, STAYS),
    ROW(val_split, "--val-split", NUMBER, STAYS),
    ROW(early_stop, "--early-stop", WHOLE, STAYS),
    ROW(stream, "--stream", FLAG, FREE),
    ROW(fuse, "--no-fuse (are steps fused?)", FLAG, STAYS),
    ROW(checkpoint_every, "--checkpoint-every", WHOLE, FREE),
    ROW(checkpoint_steps, "--checkpoint-steps", WHOLE, FREE),
    ADDED(freeze, "--freeze", PATTERNS, STAYS),
    ADDED(lr_scale, "--lr-scale", PATTERNS, STAYS),
    ADDED(whiten, "--whiten", PATTERNS, STAYS),
    ADDED(recompute, "--recompute", FLAG, FREE),
    TEXT(optimizer, "--optimizer", &cnn_optimizer_words, STAYS),
    ADDED(momentum, "--momentum", NUMBER, STAYS),
    ADDED(nesterov, "--nesterov", FLAG, STAYS),
    ADDED(weight_decay, "--weight-decay", NUMBER, STAYS),
    ADDED(decay_all, "--decay-all", FLAG, STAYS),
    ADDED(clip_norm, "--clip-norm", NUMBER, STAYS),
    TEXT(schedule, "--schedule", &cnn_schedule_words, STAYS),
    ADDED(warmup, "--warmup", NUMBER, STAYS),
    ADDED(fixed_momentum, "--fixed-momentum", FLAG, STAYS),
    ADDED(label_smoothing, "--label-smoothing", NUMBER, STAYS),
    TEXT(balanced_classes, "--class-weights", &cnn_class_weights_words, STAYS),
    ADDED(ema, "--ema", NUMBER, STAYS),
    TEXT(augment, "--augment", &cnn_augment_words, STAYS),
    ADDED(sentinel, "--sentinel", WHOLE, FREE),
    ADDED(views, "--views", WHOLE, STAYS),
    ADDED(exact, "--exact", FLAG, STAYS),
};

enum { ROWS = sizeof rows / sizeof rows[0] };

void cnn_train_options_init(cnn_train_options *options)
{
    if (!options)
        return;
    *options = (cnn_train_options){
        .epochs = 10,
        .batch = 256,
        .lr = 1e-3,
        .print_every = 1,
        .fuse = true,
        .checkpoint_every = 1,
    };
}

/* The real numbers among them. */
static const struct number_row {
    const char *key; /* the command's option */
    size_t offset;
    cnn_range range;
} numbers[] = {
    {"lr", offsetof(cnn_train_options, lr), {0.0, INFINITY, false, "a finite number above 0"}},
    {"val-split", offsetof(cnn_train_options, val_split), {0.0, 1.0, true, "a number in [0, 1)"}},
    {"momentum", offsetof(cnn_train_options, momentum), {0.0, 1.0, true, "a number in [0, 1)"}},
    {"weight-decay",
     offsetof(cnn_train_options, weight_decay),
     {0.0, INFINITY, true, "a finite number of 0 or more"}},
    {"clip-norm",
     offsetof(cnn_train_options, clip_norm),
     {0.0, INFINITY, true, "a finite number of 0 or more"}},
    {"label-smoothing",
     offsetof(cnn_train_options, label_smoothing),
     {0.0, 1.0, true, "a number in [0, 1)"}},
    {"ema", offsetof(cnn_train_options, ema), {0.0, 1.0, true, "a number in [0, 1)"}},
    {"warmup",
     offsetof(cnn_train_options, warmup),
     {0.0, INFINITY, true, "a finite number of epochs, 0 or more"}},
};

enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static cnn_status read_words(cnn_train_options *options, const option_row *row, const char *text)
{
    char quoted[CNN_QUOTE_SIZE];
    cnn_train_options changed = *options;
    if (!row->words->read(&changed, text))
        return cnn_fail(CNN_ERROR_ARGUMENT, "%s: expected %s, found '%s'", row->flag,
                        row->words->expected, cnn_quote(quoted, text));
    *options = changed;
    return CNN_OK;
}

cnn_status cnn_train_options_set(cnn_train_options *options, const char *key, const char *value)
{
    CNN_NEED(options, key, value);
    for (int i = 0; i < NUMBERS; i++)
        if (strcmp(key, numbers[i].key) == 0)
            return cnn_take_number((double *)(void *)((char *)options + numbers[i].offset),
                                   &numbers[i].range, value, key);
    for (int i = 0; i < ROWS; i++)
        if (rows[i].kind == WORDS && strcmp(key, rows[i].flag + 2) == 0)
            return read_words(options, &rows[i], value);
    return cnn_fail(CNN_ERROR_ARGUMENT, "no option of training is called '%s'", key);
}

static cnn_status check_numbers(const cnn_train_options *options)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < NUMBERS && status == CNN_OK; i++) {
        const void *field = (const char *)options + numbers[i].offset;
        status = cnn_check_number(&numbers[i].range, *(const double *)field, numbers[i].key);
    }
    return status;
}

static cnn_status check_whole(int value, const char *flag, int low)
{
    if (value >= low)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_ARGUMENT, "%s: expected %d or more, found %d", flag, low, value);
}

static cnn_status check_kinds(const cnn_train_options *options)
{
    const int optimizer = (int)options->optimizer, schedule = (int)options->schedule.kind;
    if (optimizer < 0 || optimizer > (int)CNN_OPTIMIZER_SGD)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--optimizer: expected %s, found number %d",
                        cnn_optimizer_words.expected, optimizer);
    if (schedule < 0 || schedule > (int)CNN_SCHEDULE_ONECYCLE)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--schedule: expected %s, found number %d",
                        cnn_schedule_words.expected, schedule);
    return CNN_OK;
}

/* A rate that the device's numbers cannot hold trains for nothing, or is not finite. */
static cnn_status check_rate(double rate, const char *flag)
{
    if ((float)rate > 0.0f && isfinite((float)rate))
        return CNN_OK;
    return cnn_fail(CNN_ERROR_ARGUMENT, "%s: expected a rate that is not %s in float32, found %g",
                    flag, (float)rate > 0.0f ? "infinite" : "0", rate);
}

/* Of each "PATTERN=F". */
static cnn_status check_scales(const cnn_train_options *options)
{
    const cnn_rate_schedule *schedule = &options->schedule;
    bool steps = schedule->kind == CNN_SCHEDULE_STEP;
    double end = options->lr * (steps ? pow(schedule->factor, cnn_rate_milestones(options)) : 1.0);
    cnn_status status = CNN_OK;
    for (const char *at = options->lr_scale; *at && status == CNN_OK;) {
        char entry[CNN_MAX_PATTERNS];
        double factor;
        size_t length = strcspn(at, ",");
        snprintf(entry, sizeof entry, "%.*s", (int)length, at);
        status = cnn_scale_split(&factor, entry);
        if (status == CNN_OK)
            status =
                check_rate(end * factor, steps ? "--lr times --lr-scale at the end of --schedule"
                                               : "--lr times --lr-scale");
        at += length + (at[length] == ',');
    }
    return status;
}

/* A run may end before a schedule does, as with PyTorch's: it may go on, or a recipe is tried. */
static cnn_status check_schedule(const cnn_train_options *options)
{
    const cnn_rate_schedule *schedule = &options->schedule;
    int before = 0;
    if (options->warmup > options->epochs)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--warmup: expected at most %d, the epochs of the run (--epochs), found %g",
                        options->epochs, options->warmup);
    if (options->fixed_momentum && schedule->kind != CNN_SCHEDULE_ONECYCLE)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--fixed-momentum: expected --schedule onecycle with "
                                            "it, found another, which leaves the momentum alone");
    if (schedule->kind != CNN_SCHEDULE_STEP)
        return CNN_OK;
    if (schedule->milestone_count < 1 || schedule->milestone_count > CNN_MAX_MILESTONES ||
        !(schedule->factor > 0.0) || !isfinite(schedule->factor))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--schedule: expected 1 to %d epochs and a factor above "
                        "0, found others",
                        CNN_MAX_MILESTONES);
    for (int i = 0; i < schedule->milestone_count; i++) {
        int epoch = schedule->milestones[i];
        if (epoch <= before)
            return cnn_fail(CNN_ERROR_ARGUMENT,
                            "--schedule: expected ascending epochs from 1 on, found %d behind %d",
                            epoch, before);
        before = epoch;
    }
    return check_rate(options->lr * pow(schedule->factor, cnn_rate_milestones(options)),
                      "--lr at the end of --schedule");
}

/* Options that mean nothing without another. */
static cnn_status check_together(const cnn_train_options *options)
{
    bool views = options->views > 0;
    bool sgd = options->optimizer == CNN_OPTIMIZER_SGD;
    const struct {
        bool is_wrong;
        const char *message;
    } rules[] = {
        {options->momentum > 0.0 && !sgd, "--momentum: expected --optimizer sgd with it, found "
                                          "Adam, whose betas are fixed: leave it out"},
        {options->nesterov && !sgd,
         "--nesterov: expected --optimizer sgd with it, found Adam: leave it out"},
        {options->nesterov && options->momentum == 0.0,
         "--nesterov: expected a --momentum above 0 with it, found none: give one, 0.9 say"},
        {options->decay_all && options->weight_decay == 0.0,
         "--decay-all: expected a --weight-decay above 0 with it, found none"},
        {views && !cnn_augments(&options->augment),
         "--views: expected --augment with it, found none: an image has one view without it"},
        {views && options->augment.mixup > 0.0,
         "--views: expected --augment without mixup, which mixes the images of each batch anew: "
         "leave one out"},
        {views && options->freeze[0] == '\0',
         "--views: expected --freeze with it, found none: there is nothing to compute once"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].is_wrong)
            return cnn_fail(CNN_ERROR_ARGUMENT, "%s", rules[i].message);
    return CNN_OK;
}

cnn_status cnn_train_options_check(const cnn_train_options *options)
{
    CNN_NEED(options);
    int piece;
    cnn_status status = CNN_OK;
    CNN_TRY(check_whole(options->epochs, "--epochs", 0));
    CNN_TRY(check_whole(options->batch, "--batch", 1));
    CNN_TRY(cnn_plan_divide(&piece, NULL, NULL, options->batch, options->micro_batch));
    CNN_TRY(cnn_slices_check(options->slices, options->batch, options->micro_batch));
    CNN_TRY(check_whole(options->print_every, "--print-every", 1));
    CNN_TRY(check_whole(options->early_stop, "--early-stop", 0));
    CNN_TRY(check_whole(options->checkpoint_every, "--checkpoint-every", 0));
    CNN_TRY(check_whole(options->checkpoint_steps, "--checkpoint-steps", 0));
    CNN_TRY(check_whole(options->sentinel, "--sentinel", 0));
    CNN_TRY(check_whole(options->views, "--views", 0));
    CNN_TRY(check_kinds(options));
    CNN_TRY(check_numbers(options));
    CNN_TRY(check_together(options));
    CNN_TRY(cnn_augment_check(&options->augment, NULL));
    CNN_TRY(check_schedule(options));
    status = check_scales(options);
out:
    return status;
}

static json_t *value_to_json(const cnn_train_options *options, const option_row *row)
{
    char text[CNN_WORDS_SIZE];
    const void *field = (const char *)options + row->offset;
    switch (row->kind) {
    case WHOLE:
        return json_integer(*(const int *)field);
    case NUMBER:
        return json_real(*(const double *)field);
    case SEED:
        return cnn_json_uint64(*(const uint64_t *)field);
    case PATTERNS:
        return cnn_json_string(field);
    case WORDS:
        row->words->write(text, options);
        return json_string(text);
    default:
        return json_boolean(*(const bool *)field);
    }
}

json_t *cnn_train_options_to_json(const cnn_train_options *options)
{
    json_t *json = json_object();
    for (int i = 0; i < ROWS; i++)
        if (json_object_set_new(json, rows[i].name, value_to_json(options, &rows[i])) != 0) {
            json_decref(json);
            return NULL;
        }
    return json;
}

static bool take_patterns(char patterns[CNN_MAX_PATTERNS], const char *text)
{
    bool fits = text && strlen(text) < CNN_MAX_PATTERNS;
    if (fits)
        snprintf(patterns, CNN_MAX_PATTERNS, "%s", text);
    return fits;
}

static bool value_from_json(cnn_train_options *options, const option_row *row, const json_t *value)
{
    void *field = (char *)options + row->offset;
    json_int_t whole = json_integer_value(value);
    if (!value && row->added)
        return true;
    switch (row->kind) {
    case WHOLE:
        *(int *)field = (int)whole;
        return json_is_integer(value) && whole >= 0 && whole <= INT_MAX;
    case NUMBER:
        *(double *)field = json_number_value(value);
        return json_is_number(value);
    case SEED:
        return cnn_json_get_uint64(field, value);
    case PATTERNS:
        return take_patterns(field, json_string_value(value));
    case WORDS:
        return json_is_string(value) && row->words->read(options, json_string_value(value));
    default:
        *(bool *)field = json_is_true(value);
        return json_is_boolean(value);
    }
}

cnn_status cnn_train_options_from_json(cnn_train_options *options, const json_t *json,
                                       const char *source)
{
    cnn_train_options_init(options);
    options->slices = 1; /* of checkpoints that do not say */
    for (int i = 0; i < ROWS; i++)
        if (!value_from_json(options, &rows[i], json_object_get(json, rows[i].name)))
            return cnn_fail(CNN_ERROR_DATA,
                            "%s: options: %s: expected a value of the kind that cnn-cl writes, "
                            "found something else",
                            source, rows[i].name);
    return cnn_train_options_check(options) == CNN_OK
               ? CNN_OK
               : cnn_fail(CNN_ERROR_DATA, "%s: options: %s", source, cnn_error_message());
}

cnn_status cnn_train_options_read(cnn_train_options *options, const char *json, const char *source)
{
    CNN_NEED(options, json, source);
    json_error_t error;
    json_t *object = cnn_json_parse(json, strlen(json), 0, &error);
    cnn_status status =
        object ? cnn_train_options_from_json(options, object, source)
               : cnn_fail(CNN_ERROR_DATA, "%s: options: expected JSON: %s", source, error.text);
    json_decref(object);
    return status;
}

double cnn_train_options_rate(const cnn_train_options *options, size_t epoch_steps, uint64_t step)
{
    return options ? cnn_rate_at(options, epoch_steps, step).lr : 0.0;
}

static bool is_same(const cnn_train_options *one, const cnn_train_options *other,
                    const option_row *row)
{
    json_t *a = value_to_json(one, row), *b = value_to_json(other, row);
    bool same = json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}

bool cnn_train_options_agree(const cnn_train_options *one, const cnn_train_options *other,
                             const char *option)
{
    if (!one || !other || !option)
        return true;
    for (int i = 0; i < ROWS; i++) {
        const char *name = rows[i].flag + 2;
        size_t length = strcspn(name, " ");
        if (strlen(option) == length && strncmp(name, option, length) == 0)
            return is_same(one, other, &rows[i]);
    }
    return true;
}

static cnn_status fail_match(const char *flag, const json_t *now, const json_t *then,
                             const char *source, const char *advice)
{
    enum { FLAGS = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9) };
    char *found = cnn_json_dump(now, FLAGS), *expected = cnn_json_dump(then, FLAGS);
    cnn_status status =
        cnn_fail(CNN_ERROR_DATA, "%s: expected %s as in %s, found %s: %s", flag,
                 expected ? expected : "another value", source, found ? found : "this", advice);
    free(found);
    free(expected);
    return status;
}

/* A schedule that ends with the run would have gone another way. */
static cnn_status match_epochs(const cnn_train_options *now, const cnn_train_options *then,
                               const char *source)
{
    if (now->epochs == then->epochs || !cnn_rate_knows_end(then))
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "--epochs: expected %d as in %s, whose --schedule ends with them, found %d: "
                    "leave it out, or train afresh without --resume",
                    then->epochs, source, now->epochs);
}

static const char leave_out[] = "leave it out, or train afresh without --resume";

cnn_status cnn_train_options_match(const cnn_train_options *now, const cnn_train_options *then,
                                   const char *source)
{
    cnn_status status = CNN_OK;
    if (now->epochs < then->epochs)
        return cnn_fail(CNN_ERROR_DATA, "--epochs: expected %d as in %s, or more, found %d: %s",
                        then->epochs, source, now->epochs, leave_out);
    status = match_epochs(now, then, source);
    cnn_train_options asked = *now;
    if (asked.slices == 0) /* not said */
        asked.slices = then->slices;
    for (int i = 0; i < ROWS && status == CNN_OK; i++) {
        json_t *found = value_to_json(&asked, &rows[i]), *expected = value_to_json(then, &rows[i]);
        if (rows[i].rule == STAYS && !json_equal(found, expected))
            status = fail_match(rows[i].flag, found, expected, source, leave_out);
        json_decref(found);
        json_decref(expected);
    }
    return status;
}
