/* Where caches lie, and what becomes of a place that cannot be made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cache.h"
#include "base/file.h"
#include "check_main.h"

static char folder[] = "/tmp/cnn-cl-test-XXXXXX";

static void set_places(const char *own, const char *xdg, const char *home)
{
    const struct {
        const char *name, *value;
    } places[] = {{"CNN_CL_CACHE_DIR", own}, {"XDG_CACHE_HOME", xdg}, {"HOME", home}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (places[i].value)
            setenv(places[i].name, places[i].value, 1);
        else
            unsetenv(places[i].name);
}

static void check_folder(const char *expected)
{
    char *found;
    ck_assert_int_eq(cnn_cache_folder(&found), CNN_OK);
    ck_assert_pstr_eq(found, expected);
    free(found);
}

START_TEST(the_nearest_variable_says_where)
{
    set_places("/own", "/xdg", "/me");
    check_folder("/own");
    set_places("", "/xdg", "/me");
    check_folder("/xdg/cnn-cl");
    set_places(NULL, "", "/me");
    check_folder("/me/.cache/cnn-cl");
    set_places(NULL, NULL, NULL);
    check_folder(NULL);
}
END_TEST

START_TEST(the_folder_is_made_for_its_owner_alone)
{
    char home[64], *path;
    struct stat info;
    snprintf(home, sizeof home, "%s/a/b", folder);
    set_places(NULL, NULL, home);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(cnn_cache_path(&path, "name"), CNN_OK);
        ck_assert_ptr_nonnull(path);
        ck_assert_ptr_nonnull(strstr(path, "/a/b/.cache/cnn-cl/name"));
        ck_assert_int_eq(cnn_file_write_atomic(path, &(cnn_piece){"x", 1}, 1), CNN_OK);
        free(path);
    }
    snprintf(home, sizeof home, "%s/a/b/.cache/cnn-cl", folder);
    ck_assert_int_eq(stat(home, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0700);
}
END_TEST

START_TEST(no_place_is_no_error)
{
    char *path;
    set_places("/proc/no-such-folder/x", NULL, NULL);
    ck_assert_int_eq(cnn_cache_path(&path, "name"), CNN_OK);
    ck_assert_ptr_null(path);
    set_places("/dev/null", NULL, NULL);
    ck_assert_int_eq(cnn_cache_path(&path, "name"), CNN_OK);
    ck_assert_ptr_null(path);
    set_places(NULL, NULL, NULL);
    ck_assert_int_eq(cnn_cache_path(&path, "name"), CNN_OK);
    ck_assert_ptr_null(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache");
    TCase *tests = tcase_create("cache");
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    tcase_add_test(tests, the_nearest_variable_says_where);
    tcase_add_test(tests, the_folder_is_made_for_its_owner_alone);
    tcase_add_test(tests, no_place_is_no_error);
    suite_add_tcase(suite, tests);
    int result = run_suite(suite);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? result : 1;
}
