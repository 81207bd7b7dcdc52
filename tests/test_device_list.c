/* The list of devices: its order and twins on made-up machines, picking, text and JSON. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check_main.h"
#include "ocl/device_list.h"

enum { MAX_MADE = 8 };

typedef struct machine {
    cnn_device_list list;
    cnn_device_entry entries[MAX_MADE];
} machine;

static cnn_device_info *add(machine *made, int platform, const char *platform_name, int device,
                            const char *name, cnn_device_type type, unsigned units, unsigned clock)
{
    ck_assert_uint_lt(made->list.total, MAX_MADE);
    made->list.entries = made->entries;
    cnn_device_info *info = &made->entries[made->list.total++].info;
    *info = (cnn_device_info){.platform = platform,
                              .device = device,
                              .type = type,
                              .compute_units = units,
                              .clock_mhz = clock,
                              .opencl = "3.0",
                              .memory = 1 << 30,
                              .usable = true,
                              .twin = -1};
    snprintf(info->name, sizeof info->name, "%s", name);
    snprintf(info->platform_name, sizeof info->platform_name, "%s", platform_name);
    return info;
}

static void forbid(cnn_device_info *info, const char *reason)
{
    info->usable = false;
    snprintf(info->reason, sizeof info->reason, "%s", reason);
}

/* A workstation on which everything is installed. */
static void make_workstation(machine *made)
{
    *made = (machine){0};
    add(made, 0, "Portable Computing Language", 0, "pthread-AMD Ryzen 7", CNN_DEVICE_CPU, 16, 4000);
    forbid(add(made, 1, "Clover", 0, "AMD Radeon RX 6800", CNN_DEVICE_DISCRETE_GPU, 60, 2000),
           "OpenCL 1.1, but 1.2 is needed");
    add(made, 2, "rusticl", 0, "AMD Radeon RX 6800 (navi21, LLVM 15)", CNN_DEVICE_DISCRETE_GPU, 60,
        2500);
    add(made, 2, "rusticl", 1, "llvmpipe (LLVM 15.0.6, 256 bits)", CNN_DEVICE_CPU, 256, 4000);
    add(made, 3, "AMD Accelerated Parallel Processing", 0, "AMD Radeon RX 6800",
        CNN_DEVICE_DISCRETE_GPU, 60, 2000);
    add(made, 3, "AMD Accelerated Parallel Processing", 1, "AMD Radeon RX 7900",
        CNN_DEVICE_DISCRETE_GPU, 90, 2000);
    add(made, 4, "Intel(R) OpenCL", 0, "Intel(R) UHD Graphics", CNN_DEVICE_INTEGRATED_GPU, 900,
        9000);
    ck_assert_int_eq(cnn_device_list_rank(&made->list), CNN_OK);
}

START_TEST(sorts_by_kind_then_speed_and_keeps_twins_behind)
{
    static const struct {
        int platform, device, twin;
    } expected[] = {{3, 1, -1}, {3, 0, -1}, {2, 0, 1}, {4, 0, -1},
                    {0, 0, -1}, {2, 1, 4},  {1, 0, 1}};
    machine made;
    make_workstation(&made);
    ck_assert_uint_eq(cnn_device_list_count(&made.list), 6);
    ck_assert_uint_eq(cnn_device_list_total(&made.list), 7);
    for (size_t i = 0; i < 7; i++) {
        const cnn_device_info *info = cnn_device_list_get(&made.list, i);
        ck_assert_int_eq(info->platform, expected[i].platform);
        ck_assert_int_eq(info->device, expected[i].device);
        ck_assert_int_eq(info->twin, expected[i].twin);
        ck_assert_int_eq(info->usable, i < 6);
    }
}
END_TEST

START_TEST(a_real_cpu_comes_before_a_faster_looking_llvmpipe)
{
    machine made = {0};
    add(&made, 0, "rusticl", 0, "llvmpipe (LLVM 15.0.6, 256 bits)", CNN_DEVICE_CPU, 8, 300);
    add(&made, 1, "Portable Computing Language", 0, "pthread", CNN_DEVICE_CPU, 1, 1000);
    ck_assert_int_eq(cnn_device_list_rank(&made.list), CNN_OK);
    ck_assert_str_eq(made.entries[0].info.name, "pthread");
    ck_assert_int_eq(made.entries[1].info.twin, 0);
    ck_assert(cnn_device_is_software("LLVMpipe (256 bits)"));
    ck_assert(!cnn_device_is_software("NVIDIA GeForce RTX 3080"));
}
END_TEST

START_TEST(at_a_tie_the_vendors_own_platform_wins)
{
    machine made = {0};
    add(&made, 0, "rusticl", 0, "Radeon", CNN_DEVICE_DISCRETE_GPU, 10, 1000);
    add(&made, 1, "NVIDIA CUDA", 0, "GeForce", CNN_DEVICE_DISCRETE_GPU, 10, 1000);
    ck_assert_int_eq(cnn_device_list_rank(&made.list), CNN_OK);
    ck_assert_str_eq(made.entries[0].info.name, "GeForce");
    ck_assert_int_eq(made.entries[1].info.twin, -1);
}
END_TEST

START_TEST(a_runtime_for_another_makers_cpus_comes_behind_pocl)
{
    static const struct {
        const char *cpu, *first;
    } expected[] = {{"AMD EPYC 7B13", "Portable Computing Language"},
                    {"Intel(R) Xeon(R) Gold 6130", "Intel(R) OpenCL"},
                    {"Neoverse-N1", "Intel(R) OpenCL"}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        machine made = {0};
        add(&made, 0, "rusticl", 0, "llvmpipe", CNN_DEVICE_CPU, 256, 4000);
        cnn_device_info *intel =
            add(&made, 1, "Intel(R) OpenCL", 0, expected[i].cpu, CNN_DEVICE_CPU, 2, 2000);
        snprintf(intel->vendor, sizeof intel->vendor, "Intel(R) Corporation");
        add(&made, 2, "Portable Computing Language", 0, expected[i].cpu, CNN_DEVICE_CPU, 2, 2000);
        ck_assert_int_eq(cnn_device_list_rank(&made.list), CNN_OK);
        ck_assert_str_eq(made.entries[0].info.platform_name, expected[i].first);
        ck_assert_str_eq(made.entries[2].info.platform_name, "rusticl");
    }
}
END_TEST

/* Two equal cards, each behind two platforms: only the address on the bus tells them apart. */
START_TEST(the_bus_address_decides_on_twins)
{
    machine made = {0};
    for (int platform = 0; platform < 2; platform++) {
        for (int device = 0; device < 2; device++) {
            unsigned bus = 1 + (unsigned)(platform == device);
            add(&made, platform, platform ? "NVIDIA CUDA" : "rusticl", device, "GeForce",
                CNN_DEVICE_DISCRETE_GPU, 10, 1000);
            made.entries[made.list.total - 1].pci = (cnn_pci_address){true, 0, bus, 0, 0};
        }
    }
    ck_assert_int_eq(cnn_device_list_rank(&made.list), CNN_OK);
    for (int i = 0; i < 4; i += 2) {
        ck_assert_str_eq(made.entries[i].info.platform_name, "NVIDIA CUDA");
        ck_assert_int_eq(made.entries[i + 1].info.twin, i);
        ck_assert_uint_eq(made.entries[i].pci.bus, made.entries[i + 1].pci.bus);
    }
}
END_TEST

START_TEST(equal_cards_of_one_platform_are_no_twins)
{
    machine made = {0};
    add(&made, 0, "NVIDIA CUDA", 0, "GeForce", CNN_DEVICE_DISCRETE_GPU, 10, 1000);
    add(&made, 0, "NVIDIA CUDA", 1, "GeForce", CNN_DEVICE_DISCRETE_GPU, 10, 1000);
    ck_assert_int_eq(cnn_device_list_rank(&made.list), CNN_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(made.entries[i].info.device, i);
        ck_assert_int_eq(made.entries[i].info.twin, -1);
    }
}
END_TEST

static const struct good_pick {
    const char *selector;
    size_t index;
} good_picks[] = {
    {NULL, 0},  {"", 0},         {"0", 0},     {"5", 5},        {"3:0", 1},     {"2:1", 5},
    {"uhd", 3}, {"LLVMPIPE", 5}, {"ryzen", 4}, {"portable", 4}, {"rx 7900", 0},
};

static const struct bad_pick {
    const char *selector, *wrong;
} bad_picks[] = {
    {"6", "no such index"},
    {"99999999999999999999", "no such index"},
    {"7900", "no such index"}, /* a number is an index, though a name has it, too */
    {"3:2", "no such platform:device"},
    {"9:0", "no such platform:device"},
    {"1:0", "not usable: OpenCL 1.1"},
    {"clover", "not usable: OpenCL 1.1"},
    {"radeon", "fits several devices"},
    {"rusticl", "fits several devices"},
    {"quadro", "no device or platform name has this part"},
    {"-1", "no device or platform name has this part"},
    {"0x1", "no device or platform name has this part"},
};

START_TEST(picks_what_the_selector_names)
{
    machine made;
    size_t index = 99;
    make_workstation(&made);
    const struct good_pick *row = &good_picks[_i];
    cnn_status status = cnn_device_list_pick(&index, &made.list, row->selector);
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    ck_assert_uint_eq(index, row->index);
}
END_TEST

static void assert_message(const char *selector, const char *wrong)
{
    const char *message = cnn_error_message();
    ck_assert_msg(strstr(message, selector) && strstr(message, wrong) &&
                      strstr(message, "4 = pthread-AMD Ryzen 7 (CPU, 0:0, Portable Computing") &&
                      !strchr(message, '\n'),
                  "%s", message);
}

START_TEST(refuses_a_selector_with_the_list)
{
    machine made;
    size_t index;
    make_workstation(&made);
    ck_assert_int_eq(cnn_device_list_pick(&index, &made.list, bad_picks[_i].selector),
                     CNN_ERROR_DEVICE);
    assert_message(bad_picks[_i].selector, bad_picks[_i].wrong);
}
END_TEST

START_TEST(takes_the_environment_where_no_selector_is_given)
{
    machine made;
    size_t index;
    make_workstation(&made);
    setenv("CNN_CL_DEVICE", "uhd", 1);
    ck_assert_int_eq(cnn_device_list_pick(&index, &made.list, NULL), CNN_OK);
    ck_assert_uint_eq(index, 3);
    ck_assert_int_eq(cnn_device_list_pick(&index, &made.list, "0"), CNN_OK);
    ck_assert_uint_eq(index, 0);
    setenv("CNN_CL_DEVICE", "quadro", 1);
    ck_assert_int_eq(cnn_device_list_pick(&index, &made.list, ""), CNN_ERROR_DEVICE);
    unsetenv("CNN_CL_DEVICE");
    assert_message("CNN_CL_DEVICE=\"quadro\"", "no device or platform");
}
END_TEST

START_TEST(nothing_usable_says_why)
{
    machine made = {0};
    size_t index;
    forbid(add(&made, 0, "Clover", 0, "Radeon", CNN_DEVICE_DISCRETE_GPU, 1, 1),
           "OpenCL 1.1, but 1.2 is needed");
    ck_assert_int_eq(cnn_device_list_rank(&made.list), CNN_OK);
    ck_assert_uint_eq(made.list.count, 0);
    ck_assert_int_eq(cnn_device_list_pick(&index, &made.list, "0"), CNN_ERROR_DEVICE);
    ck_assert(strstr(cnn_error_message(), "Radeon (0:0) is not usable: OpenCL 1.1") != NULL);
}
END_TEST

START_TEST(the_table_has_every_device_and_the_default)
{
    machine made;
    char *text;
    make_workstation(&made);
    ck_assert_int_eq(cnn_device_list_to_text(&text, &made.list), CNN_OK);
    ck_assert_ptr_nonnull(strstr(text, "\n* 0      3:1  AMD Radeon RX 7900"));
    ck_assert_ptr_nonnull(strstr(text, "\n  -      1:0  AMD Radeon RX 6800"));
    ck_assert_ptr_nonnull(strstr(text, "not usable: OpenCL 1.1, but 1.2 is needed\n"));
    ck_assert_ptr_nonnull(strstr(text, "likely the same hardware as 4\n"));
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    cnn_string_free(text);
}
END_TEST

static json_t *parse_list(const cnn_device_list *list)
{
    char *text;
    json_error_t error;
    ck_assert_int_eq(cnn_device_list_to_json(&text, list), CNN_OK);
    json_t *root = json_loads(text, 0, &error);
    ck_assert_msg(root != NULL, "%s", error.text);
    cnn_string_free(text);
    return root;
}

START_TEST(the_json_parses_and_holds_the_list)
{
    machine made;
    make_workstation(&made);
    json_t *root = parse_list(&made.list);
    json_t *devices = json_object_get(root, "devices");
    ck_assert_uint_eq(json_array_size(devices), 7);
    json_t *twin = json_array_get(devices, 5), *unusable = json_array_get(devices, 6);
    ck_assert_int_eq(json_integer_value(json_object_get(twin, "index")), 5);
    ck_assert_int_eq(json_integer_value(json_object_get(twin, "twin")), 4);
    ck_assert(json_is_null(json_object_get(unusable, "index")));
    ck_assert(json_is_false(json_object_get(unusable, "usable")));
    ck_assert(json_is_true(json_object_get(json_array_get(devices, 0), "default")));
    ck_assert_str_eq(json_string_value(json_object_get(unusable, "reason")),
                     "OpenCL 1.1, but 1.2 is needed");
    json_decref(root);
}
END_TEST

int main(void)
{
    unsetenv("CNN_CL_DEVICE");
    Suite *suite = suite_create("device_list");
    TCase *tests = tcase_create("device_list");
    tcase_add_test(tests, sorts_by_kind_then_speed_and_keeps_twins_behind);
    tcase_add_test(tests, a_real_cpu_comes_before_a_faster_looking_llvmpipe);
    tcase_add_test(tests, at_a_tie_the_vendors_own_platform_wins);
    tcase_add_test(tests, a_runtime_for_another_makers_cpus_comes_behind_pocl);
    tcase_add_test(tests, the_bus_address_decides_on_twins);
    tcase_add_test(tests, equal_cards_of_one_platform_are_no_twins);
    tcase_add_loop_test(tests, picks_what_the_selector_names, 0,
                        sizeof good_picks / sizeof good_picks[0]);
    tcase_add_loop_test(tests, refuses_a_selector_with_the_list, 0,
                        sizeof bad_picks / sizeof bad_picks[0]);
    tcase_add_test(tests, takes_the_environment_where_no_selector_is_given);
    tcase_add_test(tests, nothing_usable_says_why);
    tcase_add_test(tests, the_table_has_every_device_and_the_default);
    tcase_add_test(tests, the_json_parses_and_holds_the_list);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
