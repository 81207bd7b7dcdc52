#include "cli/evaluation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/session.h"

enum {
    MOST_COLUMNS = 20, /* of a matrix that is printed whole */
    MARGIN = 2         /* between columns */
};

static const char *name_of(const cli_evaluation *evaluation, int label)
{
    return cnn_dataset_class_name(evaluation->dataset, label);
}

/* How many characters of UTF-8: all bytes but those that go on with one. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static int digits_of(size_t number)
{
    int digits = 1;
    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Classes that have names are printed as "3 Dress", the others as "3". */
static int name_width(const cli_evaluation *evaluation)
{
    int widest = 0;
    for (int i = 0; i < evaluation->classes; i++)
        widest = larger(widest, text_width(name_of(evaluation, i)));
    return widest;
}

static bool is_named(const cli_evaluation *evaluation)
{
    for (int i = 0; i < evaluation->classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        if (strcmp(number, name_of(evaluation, i)) != 0)
            return true;
    }
    return false;
}

static int label_width(const cli_evaluation *evaluation)
{
    int digits = digits_of((size_t)evaluation->classes - 1);
    return evaluation->named ? digits + 1 + name_width(evaluation) : digits;
}

int cli_evaluation_init(cli_evaluation *evaluation, const cnn_dataset *dataset, cnn_split split,
                        int classes, const cnn_prediction *predictions)
{
    const uint16_t *labels = cnn_dataset_labels(dataset, split);
    size_t count = cnn_dataset_count(dataset, split), side = (size_t)classes;
    int code = 0;
    evaluation->dataset = dataset;
    evaluation->classes = classes;
    evaluation->named = is_named(evaluation);
    evaluation->label_width = label_width(evaluation);
    evaluation->scores = cli_allocate(side, sizeof *evaluation->scores);
    if (classes <= CLI_MOST_CONFUSED)
        evaluation->counts = cli_allocate(side * side, sizeof *evaluation->counts);
    else
        cli_info("no confusion matrix: %d classes are more than %d; the largest mistakes are told",
                 classes, CLI_MOST_CONFUSED);
    if (!evaluation->scores || (classes <= CLI_MOST_CONFUSED && !evaluation->counts))
        return CLI_EXIT_FAILURE;
    cnn_confusion_scores(evaluation->scores, classes, predictions, labels, count);
    cnn_confusion_count(evaluation->counts, classes, predictions, labels, count);
    CLI_TRY(cli_check(cnn_confusion_mistakes(evaluation->pairs, &evaluation->pair_count,
                                             CLI_MOST_PAIRS, classes, predictions, labels, count)));
out:
    return code;
}

void cli_evaluation_finish(cli_evaluation *evaluation)
{
    free(evaluation->counts);
    free(evaluation->scores);
    *evaluation = (cli_evaluation){0};
}

/* Padded to `width`: printf() would count bytes. */
static void print_label(const cli_evaluation *evaluation, int label, int width)
{
    int digits = digits_of((size_t)evaluation->classes - 1);
    cli_print("%*d", digits, label);
    int used = digits;
    if (evaluation->named) {
        cli_print_line(" %s", name_of(evaluation, label));
        used += 1 + text_width(name_of(evaluation, label));
    }
    cli_print("%*s", larger(width - used, 0), "");
}

static size_t count_of(const cli_evaluation *evaluation, int label, int predicted)
{
    return evaluation->counts[(size_t)label * (size_t)evaluation->classes + (size_t)predicted];
}

static void print_matrix(const cli_evaluation *evaluation)
{
    int classes = evaluation->classes, first = evaluation->label_width;
    int width = digits_of((size_t)classes - 1);
    for (int i = 0; i < classes * classes; i++)
        width = larger(width, digits_of(evaluation->counts[i]));
    width += MARGIN;
    cli_print("\nConfusion: a row for each true class, a column for each predicted one.\n%*s",
              first, "");
    for (int i = 0; i < classes; i++)
        cli_print("%*d", width, i);
    for (int label = 0; label < classes; label++) {
        cli_print("\n");
        print_label(evaluation, label, first);
        for (int i = 0; i < classes; i++)
            cli_print("%*zu", width, count_of(evaluation, label, i));
    }
    cli_print("\n");
}

static void print_pairs(const cli_evaluation *evaluation)
{
    const cnn_confusion_pair *pairs = evaluation->pairs;
    size_t count = evaluation->pair_count;
    int width = larger(evaluation->label_width, (int)strlen("predicted")) + MARGIN;
    if (count == 0) {
        cli_print("\nConfusion: none.\n");
        return;
    }
    cli_print("\nConfusion: the largest of %d classes%s.\n%-*s%-*simages\n", evaluation->classes,
              evaluation->counts ? " (--json has all)" : "", width, "true", width, "predicted");
    for (size_t i = 0; i < count; i++) {
        print_label(evaluation, pairs[i].label, width);
        print_label(evaluation, pairs[i].predicted, width);
        cli_print("%6zu\n", pairs[i].count);
    }
}

/* A share of 0 to 1, or a dash for none. */
static void print_share(double value, int width)
{
    if (isnan(value))
        cli_print("%*s", width, "-");
    else
        cli_print("%*.3f", width, value);
}

static void print_scores(const cli_evaluation *evaluation)
{
    enum { PRECISION = 11, RECALL = 8, F1 = 7, SUPPORT = 9 };
    int width = larger(evaluation->label_width, (int)strlen("class"));
    cli_print("\n%-*s%*s%*s%*s%*s\n", width, "class", PRECISION, "precision", RECALL, "recall", F1,
              "f1", SUPPORT, "support");
    for (int label = 0; label < evaluation->classes; label++) {
        cnn_class_score score = evaluation->scores[label];
        print_label(evaluation, label, width);
        print_share(score.precision, PRECISION);
        print_share(score.recall, RECALL);
        print_share(score.f1, F1);
        cli_print("%*zu\n", SUPPORT, score.support);
    }
}

void cli_evaluation_print(const cli_evaluation *evaluation)
{
    if (evaluation->classes <= MOST_COLUMNS)
        print_matrix(evaluation);
    else
        print_pairs(evaluation);
    print_scores(evaluation);
}

static void print_json_share(double value, int index)
{
    cli_print(index ? ", " : "");
    if (isnan(value))
        cli_print("null");
    else
        cli_print("%.9g", value);
}

static void print_json_matrix(const cli_evaluation *evaluation)
{
    int classes = evaluation->counts ? evaluation->classes : 0;
    cli_print(evaluation->counts ? "[" : "null");
    for (int label = 0; label < classes; label++) {
        cli_print("%s\n    [", label ? "," : "");
        for (int i = 0; i < classes; i++)
            cli_print("%s%zu", i ? ", " : "", count_of(evaluation, label, i));
        cli_print("]");
    }
    cli_print(evaluation->counts ? "\n  ]" : "");
}

/* The largest, in the place of a matrix. */
static void print_json_mistakes(const cli_evaluation *evaluation)
{
    cli_print(",\n  \"mistakes\": [");
    for (size_t i = 0; i < evaluation->pair_count; i++) {
        const cnn_confusion_pair *pair = &evaluation->pairs[i];
        cli_print("%s{\"true\": %d, \"predicted\": %d, \"count\": %zu}", i ? ", " : "", pair->label,
                  pair->predicted, pair->count);
    }
    cli_print("]");
}

void cli_evaluation_print_json(const cli_evaluation *evaluation)
{
    int classes = evaluation->classes;
    cli_print("  \"confusion\": ");
    print_json_matrix(evaluation);
    if (!evaluation->counts)
        print_json_mistakes(evaluation);
    cli_print(",\n  \"classes\": [");
    for (int i = 0; i < classes; i++) {
        cli_print(i ? ", " : "");
        cli_print_json_string(name_of(evaluation, i));
    }
    cli_print("],\n  \"precision\": [");
    for (int i = 0; i < classes; i++)
        print_json_share(evaluation->scores[i].precision, i);
    cli_print("],\n  \"recall\": [");
    for (int i = 0; i < classes; i++)
        print_json_share(evaluation->scores[i].recall, i);
    cli_print("]");
}
