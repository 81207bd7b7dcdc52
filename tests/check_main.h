/* The main() of a Check program with one suite: include it, define suite(), and that is all. */
#ifndef TESTS_CHECK_MAIN_H
#define TESTS_CHECK_MAIN_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite in this process: an OpenCL context does not survive a fork. */
static inline int run_suite(Suite *suite)
{
    if (getenv("CNN_TEST_SWEEP")) /* tests/meson.build: some build kernels without optimisation */
        unsetenv("POCL_EXTRA_BUILD_FLAGS");
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
