/* What is printed of a picture: its classes, most probable first. */
#include "cli/output.h"
#include "cli/picture_run.h"
#include "cli/show.h"

static void print_name(const pictures *run, int label)
{
    const char *name = cnn_model_class_name(run->session.model, label);
    if (run->options->json)
        cli_print_json_string(name);
    else
        cli_print_line("%s", name);
}

/* The classes, most probable first. */
static void sort_classes(int *order, const float *probabilities, int classes, int top)
{
    for (int i = 0; i < classes; i++)
        order[i] = i;
    for (int i = 0; i < top; i++)
        for (int j = i + 1; j < classes; j++)
            if (probabilities[order[j]] > probabilities[order[i]]) {
                int other = order[i];
                order[i] = order[j];
                order[j] = other;
            }
}

static int top_of(const pictures *run)
{
    int top = run->options->top > 0 ? run->options->top : 1;
    return top < run->classes ? top : run->classes;
}

static void print_line(const pictures *run, const entry *at, const float *probabilities)
{
    int top = top_of(run);
    cli_print_line("image:[%s", at->path);
    if (at->index != NOT_IDX)
        cli_print("#%lld", at->index);
    cli_print("] pred:[");
    for (int i = 0; i < top; i++) {
        cli_print("%s", i ? "," : "");
        print_name(run, run->order[i]);
    }
    cli_print("] prob:[");
    for (int i = 0; i < top; i++)
        cli_print("%s%.3f", i ? "," : "", (double)probabilities[run->order[i]]);
    cli_print("].\n");
    if (run->options->show)
        cli_show_image(run->inputs + at->slot * run->conversion.size, run->conversion.shape);
}

static void print_json_entry(pictures *run, const entry *at, const float *probabilities)
{
    cli_print("%s\n    {\"path\": ", run->comma ? "," : "");
    run->comma = true;
    cli_print_json_string(at->path);
    if (at->index == NOT_IDX)
        cli_print(", \"index\": null");
    else
        cli_print(", \"index\": %lld", at->index);
    if (at->error[0]) {
        cli_print(", \"error\": ");
        cli_print_json_string(at->error);
        cli_print("}");
        return;
    }
    cli_print(", \"label\": %d, \"name\": ", run->order[0]);
    print_name(run, run->order[0]);
    cli_print(", \"probability\": %.6g, \"top\": [", (double)probabilities[run->order[0]]);
    for (int i = 0; i < top_of(run); i++) {
        cli_print("%s{\"label\": %d, \"name\": ", i ? ", " : "", run->order[i]);
        print_name(run, run->order[i]);
        cli_print(", \"probability\": %.6g}", (double)probabilities[run->order[i]]);
    }
    cli_print("]");
    if (at->warning[0]) {
        cli_print(", \"warning\": ");
        cli_print_json_string(at->warning);
    }
    cli_print("}");
}

void cli_picture_print(pictures *run, const entry *at, const float *probabilities)
{
    if (!at->error[0])
        sort_classes(run->order, probabilities, run->classes, top_of(run));
    if (run->options->json)
        print_json_entry(run, at, probabilities);
    else if (!at->error[0])
        print_line(run, at, probabilities);
}
