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
#include "plan/plan.h"

/* ADDED, ADDED_FLAG, PATTERNS: what older checkpoints do not have. */
typedef enum option_kind { WHOLE, ADDED, NUMBER, SEED, FLAG, ADDED_FLAG, PATTERNS } option_kind;

/* What an option may do between a checkpoint and the run that goes on from it. */
typedef enum option_rule { STAYS, GROWS, FREE } option_rule;

typedef struct option_row {
    const char *name; /* the field's, and the key in JSON */
    const char *flag; /* the command's option */
    size_t offset;
    option_kind kind;
    option_rule rule;
} option_row;

#define ROW(field, flag, kind, rule)                                                               \
    {                                                                                              \
#field, flag, offsetof(cnn_train_options, field), kind, rule                               \
    }

static const option_row rows[] = {
    ROW(epochs, "--epochs", WHOLE, GROWS),
    ROW(batch, "--batch", WHOLE, STAYS),
    ROW(micro_batch, "--micro-batch", ADDED, FREE),
    ROW(lr, "--lr", NUMBER, STAYS),
    ROW(seed, "--seed", SEED, STAYS),
    ROW(print_every, "--print-every", WHOLE, STAYS),
    ROW(val_split, "--val-split", NUMBER, STAYS),
    ROW(early_stop, "--early-stop", WHOLE, STAYS),
    ROW(stream, "--stream", FLAG, FREE),
    ROW(fuse, "--no-fuse (are steps fused?)", FLAG, STAYS),
    ROW(checkpoint_every, "--checkpoint-every", WHOLE, FREE),
    ROW(checkpoint_steps, "--checkpoint-steps", WHOLE, FREE),
    ROW(freeze, "--freeze", PATTERNS, STAYS),
    ROW(recompute, "--recompute", ADDED_FLAG, FREE),
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
};

enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

cnn_status cnn_train_options_set(cnn_train_options *options, const char *key, const char *value)
{
    CNN_NEED(options, key, value);
    for (int i = 0; i < NUMBERS; i++)
        if (strcmp(key, numbers[i].key) == 0)
            return cnn_take_number((double *)(void *)((char *)options + numbers[i].offset),
                                   &numbers[i].range, value, key);
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

cnn_status cnn_train_options_check(const cnn_train_options *options)
{
    int piece;
    cnn_status status = CNN_OK;
    CNN_TRY(check_whole(options->epochs, "--epochs", 0));
    CNN_TRY(check_whole(options->batch, "--batch", 1));
    CNN_TRY(cnn_plan_divide(&piece, NULL, NULL, options->batch, options->micro_batch));
    CNN_TRY(check_whole(options->print_every, "--print-every", 1));
    CNN_TRY(check_whole(options->early_stop, "--early-stop", 0));
    CNN_TRY(check_whole(options->checkpoint_every, "--checkpoint-every", 0));
    CNN_TRY(check_whole(options->checkpoint_steps, "--checkpoint-steps", 0));
    status = check_numbers(options);
out:
    return status;
}

static json_t *value_to_json(const cnn_train_options *options, const option_row *row)
{
    const void *field = (const char *)options + row->offset;
    switch (row->kind) {
    case WHOLE:
    case ADDED:
        return json_integer(*(const int *)field);
    case NUMBER:
        return json_real(*(const double *)field);
    case SEED:
        return cnn_json_uint64(*(const uint64_t *)field);
    case PATTERNS:
        return cnn_json_string(field);
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
    bool added = row->kind == ADDED || row->kind == ADDED_FLAG || row->kind == PATTERNS;
    if (!value && added)
        return true;
    switch (row->kind) {
    case WHOLE:
    case ADDED:
        *(int *)field = (int)whole;
        return json_is_integer(value) && whole >= 0 && whole <= INT_MAX;
    case NUMBER:
        *(double *)field = json_number_value(value);
        return json_is_number(value);
    case SEED:
        return cnn_json_get_uint64(field, value);
    case PATTERNS:
        return take_patterns(field, json_string_value(value));
    default:
        *(bool *)field = json_is_true(value);
        return json_is_boolean(value);
    }
}

cnn_status cnn_train_options_from_json(cnn_train_options *options, const json_t *json,
                                       const char *source)
{
    cnn_train_options_init(options);
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

static const char leave_out[] = "leave it out, or train afresh without --resume";

cnn_status cnn_train_options_match(const cnn_train_options *now, const cnn_train_options *then,
                                   const char *source)
{
    cnn_status status = CNN_OK;
    if (now->epochs < then->epochs)
        return cnn_fail(CNN_ERROR_DATA, "--epochs: expected %d as in %s, or more, found %d: %s",
                        then->epochs, source, now->epochs, leave_out);
    for (int i = 0; i < ROWS && status == CNN_OK; i++) {
        json_t *found = value_to_json(now, &rows[i]), *expected = value_to_json(then, &rows[i]);
        if (rows[i].rule == STAYS && !json_equal(found, expected))
            status = fail_match(rows[i].flag, found, expected, source, leave_out);
        json_decref(found);
        json_decref(expected);
    }
    return status;
}
