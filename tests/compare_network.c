/* For check_against_pytorch.py: compares the networks of a golden file with what the device makes
 * of them, in fused and in plain plans: `compare_network FILE`, a path with a slash. */
#include "check_main.h"
#include "plan_golden.h"

static const char *path;

static void check_both(const golden_case *golden)
{
    check_network_golden(golden, true);
    check_network_golden(golden, false);
}

START_TEST(agrees_with_pytorch)
{
    golden_for_each(path, check_both);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2)
        return EXIT_FAILURE;
    path = argv[1];
    Suite *suite = suite_create("network");
    tcase_add_test(add_device_case(suite, "network"), agrees_with_pytorch);
    return run_device_suite(suite);
}
