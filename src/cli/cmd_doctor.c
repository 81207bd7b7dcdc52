/* doctor: what the OpenCL loader sees, and whether the devices compute right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/network.h"
#include "cli/option_rows.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/session.h"

typedef struct doctor_run {
    const cli_options *options;
    cnn_doctor *doctor;
    cnn_network *network;
    cnn_device_list *list;
    int exact_devices, exact_rows; /* printed as JSON so far: of all, and of the device */
} doctor_run;

/* Those from `first` on. */
static void print_findings(const cnn_doctor *doctor, size_t first)
{
    for (size_t i = first; i < cnn_doctor_finding_count(doctor); i++) {
        cnn_finding finding = cnn_doctor_get_finding(doctor, i);
        cli_print_line("  %-7s  %s\n", cnn_finding_level_name(finding.level), finding.text);
        if (*finding.remedy)
            cli_print_line("           mend: %s\n", finding.remedy);
    }
    cli_flush();
}

static void print_row(const cnn_doctor_row *row, void *user)
{
    char name[160];
    (void)user;
    snprintf(name, sizeof name, "%s%s%s", row->name, *row->name && *row->layers ? " " : "",
             row->layers);
    cli_print_line("  %-4s  %-7s  %-8s  %-60s  ",
                   !row->checked ? "none"
                   : row->passed ? "pass"
                                 : "FAIL",
                   row->part, row->phase, name);
    if (row->checked)
        cli_print("%8.1e  %9.3f ms\n", row->error, row->milliseconds);
    else
        cli_print("not checked\n");
    if (!row->passed)
        cli_print_line("        %s\n", row->wrong);
    cli_flush();
}

static int print_verdict(const doctor_run *run, size_t index)
{
    cnn_doctor_verdict verdict = cnn_doctor_get_verdict(run->doctor, index);
    char *report = NULL;
    int code = 0;
    if (verdict.passed) {
        cli_print_line("%s computes right: %zu checks in %.1f s, largest error %.1e.\n",
                       verdict.device.name, verdict.checks, verdict.seconds, verdict.error);
        return 0;
    }
    const char *why = verdict.starved == verdict.unchecked ? "for lack of memory" : "as their lines say";
    if (verdict.failures == 0 && verdict.unchecked == verdict.checks) {
        cli_print_line("%s was not checked: none of %zu checks could be made, %s.\n",
                       verdict.device.name, verdict.checks, why);
        return 0;
    }
    if (verdict.failures == 0) {
        cli_print_line("%s was not checked in full: %zu of %zu checks could not be made %s; the "
                       "others passed, "
                       "largest error %.1e.\n",
                       verdict.device.name, verdict.unchecked, verdict.checks, why, verdict.error);
        return 0;
    }
    CLI_TRY(cli_check(cnn_doctor_report(&report, run->doctor, index)));
    cli_print_line("%s COMPUTES WRONG: %zu of %zu checks failed. Take another device or driver.\n",
                   verdict.device.name, verdict.failures, verdict.checks);
    if (verdict.unchecked > 0)
        cli_print("%zu checks could not be made %s.\n", verdict.unchecked, why);
    cli_print("---- a bug report for the driver's makers, or for cnn-cl's ----\n%s"
              "---- end of the report ----\n",
              report);
out:
    cnn_string_free(report);
    return code;
}

static void print_device(const cnn_device_info *info, const char *how)
{
    cli_print("\n");
    cli_print_line("Device %d:%d: %s (%s, driver %s), %s:\n", info->platform, info->device,
                   info->name, info->platform_name, info->driver, how);
}

static void print_header(const cnn_device_info *info, bool opened)
{
    print_device(info, opened ? "beside plain C" : "not checked");
    if (opened)
        cli_print("        %-7s  %-8s  %-60s  %8s  %12s\n", "plan", "phase", "step", "error",
                  "time");
}

static void print_exact(const cnn_exact_row *row, void *user)
{
    doctor_run *run = user;
    if (run->options->json) {
        char differs[16] = "null";
        if (row->differs >= 0)
            snprintf(differs, sizeof differs, "%d", row->differs);
        cli_print("%s\n      {\"name\": \"%s\", \"steps\": %d, \"matched\": %s, \"differs\": %s, "
                  "\"hash\": \"%s\", \"expected\": \"%s\", \"seconds\": %.3f}",
                  run->exact_rows++ ? "," : "", row->name, row->steps,
                  row->matched ? "true" : "false", differs, row->hash, row->expected, row->seconds);
        return;
    }
    if (row->matched)
        cli_print("  match   %-26s %3d steps  %s  %.1f s\n", row->name, row->steps, row->hash,
                  row->seconds);
    else
        cli_print("  DIFFER  %-26s step %d (from 0) is the first of %d that differs; after the "
                  "last: %s, expected %s\n",
                  row->name, row->differs < 0 ? row->steps - 1 : row->differs, row->steps,
                  row->hash, row->expected);
    cli_flush();
}

static int compare_opened(bool *matched, doctor_run *run, const char *selector)
{
    const cnn_doctor_exact callback = {.on_row = print_exact, .user = run};
    cnn_device *device = NULL;
    int code = cli_check(cnn_device_create(&device, selector));
    if (code == 0)
        code = cli_check(cnn_doctor_compare_exact(matched, device, &callback));
    cnn_device_destroy(device);
    return code;
}

static void begin_exact_json(doctor_run *run, const cnn_device_info *info)
{
    const struct {
        const char *key, *value;
    } rows[] = {
        {"device", info->name}, {"platform", info->platform_name}, {"driver", info->driver}};
    cli_print("%s\n  {", run->exact_devices++ ? "," : "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cli_print("%s\"%s\": ", i > 0 ? ", " : "", rows[i].key);
        cli_print_json_string(rows[i].value);
    }
    cli_print(",\n    \"trainings\": [");
    run->exact_rows = 0;
}

static void end_exact_json(int code, bool matched)
{
    cli_print("\n    ],\n    \"matched\": %s, \"error\": ", matched ? "true" : "false");
    if (code != 0)
        cli_print_json_string(cnn_error_message());
    else
        cli_print("null");
    cli_print("}");
}

/* doctor --exact: beside the published bits. */
static int compare_device(size_t index, doctor_run *run)
{
    const cnn_device_info *info = cnn_device_list_get(run->list, index);
    bool matched = false, json = run->options->json;
    char selector[32];
    snprintf(selector, sizeof selector, "%d:%d", info->platform, info->device);
    if (json)
        begin_exact_json(run, info);
    else
        print_device(info, "SHA-256 of all values beside the published ones");
    int code = compare_opened(&matched, run, selector);
    if (json)
        end_exact_json(code, matched);
    else if (code == 0)
        cli_print_line("%s %s.\n", info->name,
                       matched ? "gives the published bits" : "DOES NOT GIVE the published bits");
    return code == 0 && !matched ? CLI_EXIT_FAILURE : code;
}

static int check_device(doctor_run *run, size_t index)
{
    if (run->options->train.exact)
        return compare_device(index, run);

    const cnn_device_info *info = cnn_device_list_get(run->list, index);
    bool text = !run->options->json;
    cnn_device *device = NULL;
    cnn_doctor_options options;
    int code = 0;
    size_t findings = cnn_doctor_finding_count(run->doctor);
    cnn_doctor_options_init(&options);
    options.batch = run->options->train.batch;
    options.trained = &run->options->train;
    options.on_row = text ? print_row : NULL;
    cnn_status status = cnn_doctor_open(&device, run->doctor, info);
    if (text)
        print_header(info, status == CNN_OK);
    if (status == CNN_OK)
        status = cnn_doctor_check(run->doctor, device, run->network, &options);
    if (status != CNN_OK)
        code = cli_fail(cli_exit_code(status), "device %d:%d: %s", info->platform, info->device,
                        cnn_error_message());
    if (text && status != CNN_OK)
        print_findings(run->doctor, findings);
    else if (text)
        code = print_verdict(run, cnn_doctor_verdict_count(run->doctor) - 1);
    cnn_device_destroy(device);
    return code;
}

/* Those that --device names, or the default. */
static int check_chosen(doctor_run *run)
{
    const char *selectors[CLI_MAX_DEVICES] = {NULL}, *wanted = run->options->device;
    const char *usual = getenv("CNN_CL_DEVICE");
    if (!wanted && usual &&
        strchr(usual, ',')) /* of one alone, the library says where it is from */
        wanted = usual;
    char *text = wanted ? cli_concatenate((const char *[]){wanted, NULL}) : NULL;
    size_t chosen[CLI_MAX_DEVICES] = {0};
    int code =
        text ? cli_devices_check(text, run->options->device ? "--device" : "CNN_CL_DEVICE") : 0;
    int count = code == 0 ? cli_devices_split(selectors, CLI_MAX_DEVICES, text) : 0;
    count = count > 0 ? count : 1;
    for (int i = 0; code == 0 && i < count; i++)
        code = cli_check(cnn_device_list_pick(&chosen[i], run->list, selectors[i]));
    bool found = code == 0;
    for (int i = 0; found && i < count; i++) {
        int failed = check_device(run, chosen[i]);
        code = code == 0 ? failed : code;
    }
    free(text);
    return code;
}

/* Those that are chosen, or all: one that fails does not keep the others from their turn. */
static int check_devices(doctor_run *run)
{
    int code = 0;
    if (!cnn_doctor_can_list(run->doctor))
        return cli_fail(CLI_EXIT_DEVICE, "the drivers crash when they are asked for devices: see "
                                         "the findings of 'cnn-cl doctor'");
    CLI_TRY(cli_check(cnn_device_list_create(&run->list)));
    if (!run->options->all_devices)
        return check_chosen(run);
    size_t usual; /* that CNN_CL_DEVICE names is to be there */
    CLI_TRY(cli_check(cnn_device_list_pick(&usual, run->list, NULL)));
    for (size_t i = 0; i < cnn_device_list_count(run->list); i++) {
        int failed = check_device(run, i);
        code = code == 0 ? failed : code;
    }
out:
    return code;
}

/* A device that was not checked in full is not known to be right. */
static int judge(const doctor_run *run)
{
    for (size_t i = 0; i < cnn_doctor_verdict_count(run->doctor); i++)
        if (!cnn_doctor_get_verdict(run->doctor, i).passed)
            return CLI_EXIT_FAILURE;
    return 0;
}

static int print_json(const doctor_run *run)
{
    char *json = NULL;
    if (run->options->train.exact) {
        cli_print("\n]\n");
        return 0;
    }
    int code = cli_check(cnn_doctor_to_json(&json, run->doctor));
    if (code == 0)
        cli_print("%s", json);
    cnn_string_free(json);
    return code;
}

/* --exact runs its own networks: what says of others would do nothing. */
static int check_exact(const cli_options *options)
{
    static const char *const allowed[] = {"exact", "all", "device", "quiet", "verbose", "json"};
    for (int row = 0; options->train.exact && cli_option_rows[row].name; row++) {
        bool is_allowed = !options->given[row];
        for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
            is_allowed = is_allowed || strcmp(cli_option_rows[row].name, allowed[i]) == 0;
        if (!is_allowed)
            return cli_fail(CLI_EXIT_USAGE,
                            "--%s and --exact exclude each other: doctor --exact trains its own "
                            "networks: leave "
                            "one out",
                            cli_option_rows[row].name);
    }
    return 0;
}

int cmd_doctor(cli_options *options)
{
    doctor_run run = {.options = options};
    int code = 0;
    if (options->all_devices && options->device)
        return cli_fail(CLI_EXIT_USAGE, "--all and --device exclude each other");
    CLI_TRY(check_exact(options));
    CLI_TRY(cli_network_create(&run.network, options, NULL));
    CLI_TRY(cli_check(cnn_doctor_create(&run.doctor)));
    if (options->json && options->train.exact) {
        cli_print("[");
    } else if (!options->json) {
        cli_print("What the OpenCL loader sees:\n");
        print_findings(run.doctor, 0);
    }
    code = check_devices(&run);
    if (options->json) {
        int printed = print_json(&run);
        code = code == 0 ? printed : code;
    }
    if (code == 0)
        code = judge(&run);
out:
    cnn_device_list_destroy(run.list);
    cnn_network_destroy(run.network);
    cnn_doctor_destroy(run.doctor);
    return code;
}
