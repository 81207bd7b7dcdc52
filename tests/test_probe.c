/* Work in a child process that ends well, crashes or says too much. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "doctor/probe.h"

static void speak(FILE *out, const void *user)
{
    puts("a driver's noise");
    fprintf(out, "said %s\n", (const char *)user);
}

static void speak_and_crash(FILE *out, const void *user)
{
    speak(out, user);
    fflush(out);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void leave(FILE *out, const void *user)
{
    speak(out, user);
    exit(3); /* flushes */
}

static void chatter(FILE *out, const void *user)
{
    for (int i = 0; i < CNN_PROBE_TEXT; i++)
        fputs(user, out);
}

START_TEST(what_it_says_comes_back)
{
    cnn_probe probe;
    ck_assert_int_eq(cnn_probe_run(&probe, speak, "yes"), CNN_OK);
    ck_assert(probe.ended && !probe.hung);
    ck_assert_int_eq(probe.signal, 0);
    ck_assert_str_eq(probe.text, "said yes\n");
}
END_TEST

START_TEST(an_exit_is_not_its_end)
{
    cnn_probe probe;
    ck_assert_int_eq(cnn_probe_run(&probe, leave, "bye"), CNN_OK);
    ck_assert(!probe.ended && !probe.hung);
    ck_assert_int_eq(probe.signal, 0);
    ck_assert_int_eq(probe.code, 3);
    ck_assert_str_eq(probe.text, "said bye\n");
}
END_TEST

START_TEST(a_crash_is_survived_and_told)
{
    cnn_probe probe;
    ck_assert_int_eq(cnn_probe_run(&probe, speak_and_crash, "so far"), CNN_OK);
    ck_assert(!probe.ended && !probe.hung);
    ck_assert_int_eq(probe.signal, SIGSEGV);
    ck_assert_str_eq(probe.text, "said so far\n");
}
END_TEST

START_TEST(too_much_text_is_cut)
{
    cnn_probe probe;
    ck_assert_int_eq(cnn_probe_run(&probe, chatter, "abc"), CNN_OK);
    ck_assert(probe.ended);
    ck_assert_uint_eq(strlen(probe.text), CNN_PROBE_TEXT - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("probe");
    TCase *tests = tcase_create("probe");
    tcase_add_test(tests, what_it_says_comes_back);
    tcase_add_test(tests, an_exit_is_not_its_end);
    tcase_add_test(tests, a_crash_is_survived_and_told);
    tcase_add_test(tests, too_much_text_is_cut);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
