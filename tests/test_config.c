/* The network's options: every good and bad value, as text, as a struct and as JSON. */
#include "check_main.h"
#include "net/network.h"
#include "scratch.h"

static cnn_config config;

static void begin(void)
{
    cnn_config_init(&config);
}

static const struct {
    const char *key, *value;
} good[] = {
    {"name", "a"},
    {"name", "Net_2.1-x"},
    {"xdim", "3,1,65535"},
    {"xdim", "65535,65535,65535"},
    {"ksize", "1"},
    {"ksize", "11"},
    {"cdims", "none"},
    {"cdims", "1"},
    {"cdims", "16,1048576,3"},
    {"hdims", "none"},
    {"hdims", "256,128"},
    {"ydim", "1"},
    {"ydim", "65535"},
    {"batchnorm", "true"},
    {"batchnorm", "false"},
    {"dropout", "0"},
    {"dropout", "0.9999999"},
    {"dropout", ".25"},
    {"dropout", "1e-3"},
};

START_TEST(takes_every_good_value)
{
    ck_assert_msg(cnn_config_set(&config, good[_i].key, good[_i].value) == CNN_OK, "%s",
                  cnn_error_message());
    ck_assert_int_eq(cnn_config_check(&config), CNN_OK);
}
END_TEST

static const char long_name[] = "0123456789012345678901234567890123456789012345678901234567890123";

static const struct {
    const char *key, *value;
} bad[] = {
    {"name", ""},
    {"name", ".hidden"},
    {"name", "-option"},
    {"name", "a/b"},
    {"name", "a b"},
    {"name", "\xc3\xa9"},
    {"name", long_name},
    {"xdim", ""},
    {"xdim", "28,28"},
    {"xdim", "1,28,28,1"},
    {"xdim", "1,28,0"},
    {"xdim", "1,28,65536"},
    {"xdim", "1,28,-28"},
    {"xdim", "1, 28,28"},
    {"xdim", "1,28,28,"},
    {"xdim", "none"},
    {"ksize", "0"},
    {"ksize", "12"},
    {"ksize", "3x"},
    {"ksize", " 3"},
    {"ksize", "+3"},
    {"ksize", "3.0"},
    {"ksize", "99999999999999999999"},
    {"cdims", ""},
    {"cdims", "32,,64"},
    {"cdims", ",32"},
    {"cdims", "32,"},
    {"cdims", "0"},
    {"cdims", "1048577"},
    {"cdims", "none,32"},
    {"cdims", "None"},
    {"cdims", "00000000000000000000032"},
    {"hdims", "1,-1"},
    {"hdims", "abc"},
    {"ydim", "0"},
    {"ydim", "65536"},
    {"batchnorm", "yes"},
    {"batchnorm", "1"},
    {"batchnorm", ""},
    {"dropout", "1"},
    {"dropout", "-0.1"},
    {"dropout", "nan"},
    {"dropout", "inf"},
    {"dropout", "0x0.8p0"},
    {"dropout", "0.5 "},
    {"dropout", ""},
};

START_TEST(refuses_every_bad_value)
{
    cnn_config before = config;
    char option[32], found[128];
    snprintf(option, sizeof option, "--%s: expected ", bad[_i].key);
    snprintf(found, sizeof found, "found '%s'", bad[_i].value);
    ck_assert_int_eq(cnn_config_set(&config, bad[_i].key, bad[_i].value), CNN_ERROR_ARGUMENT);
    assert_message_has(option);
    assert_message_has(found);
    ck_assert_mem_eq(&config, &before, sizeof config);
}
END_TEST

START_TEST(refuses_an_unknown_option)
{
    ck_assert_int_eq(cnn_config_set(&config, "stride", "2"), CNN_ERROR_ARGUMENT);
    assert_message_has("'stride'");
}
END_TEST

/* "1,1,...": count widths. */
static const char *widths(int count)
{
    static char text[2 * (CNN_MAX_BLOCKS + 2)];
    for (int i = 0; i < count; i++)
        memcpy(text + 2 * i, "1,", 2);
    text[2 * count - 1] = '\0';
    return text;
}

START_TEST(takes_as_many_widths_as_there_is_room)
{
    ck_assert_int_eq(cnn_config_set(&config, "cdims", widths(CNN_MAX_BLOCKS)), CNN_OK);
    ck_assert_int_eq(config.cdim_count, CNN_MAX_BLOCKS);
    ck_assert_int_eq(cnn_config_set(&config, "cdims", widths(CNN_MAX_BLOCKS + 1)),
                     CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_config_set(&config, "xdim", widths(CNN_MAX_BLOCKS)), CNN_ERROR_ARGUMENT);
}
END_TEST

START_TEST(checks_a_struct_that_a_program_filled)
{
    const struct {
        int *value;
        int bad;
        const char *part;
    } changes[] = {
        {&config.xdim[1], 0, "--xdim"},         {&config.xdim[2], 65536, "--xdim"},
        {&config.ksize, 0, "--ksize"},          {&config.ksize, 12, "--ksize"},
        {&config.cdim_count, -1, "--cdims"},    {&config.cdim_count, 65, "--cdims"},
        {&config.cdims[1], 0, "--cdims"},       {&config.hdim_count, -1, "--hdims"},
        {&config.hdims[0], 1048577, "--hdims"}, {&config.ydim, 0, "--ydim"},
        {&config.ydim, 65536, "--ydim"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        int kept = *changes[i].value;
        *changes[i].value = changes[i].bad;
        ck_assert_int_eq(cnn_config_check(&config), CNN_ERROR_ARGUMENT);
        assert_message_has(changes[i].part);
        *changes[i].value = kept;
    }
    config.dropout = 1.0;
    ck_assert_int_eq(cnn_config_check(&config), CNN_ERROR_ARGUMENT);
    assert_message_has("--dropout");
    config.dropout = 0.0;
    memset(config.name, 'x', sizeof config.name); /* no end */
    ck_assert_int_eq(cnn_config_check(&config), CNN_ERROR_ARGUMENT);
    assert_message_has("--name");
}
END_TEST

START_TEST(survives_json)
{
    cnn_config again;
    char *json;
    ck_assert_int_eq(cnn_config_set(&config, "xdim", "3,20,31"), CNN_OK);
    ck_assert_int_eq(cnn_config_set(&config, "cdims", _i ? "none" : "7,8,9"), CNN_OK);
    ck_assert_int_eq(cnn_config_set(&config, "hdims", _i ? "5" : "none"), CNN_OK);
    ck_assert_int_eq(cnn_config_set(&config, "batchnorm", _i ? "true" : "false"), CNN_OK);
    ck_assert_int_eq(cnn_config_set(&config, "dropout", _i ? "0.1" : "0"), CNN_OK);
    ck_assert_int_eq(cnn_config_to_json(&json, &config), CNN_OK);
    ck_assert_msg(cnn_config_from_json(&again, json, "test") == CNN_OK, "%s", cnn_error_message());
    ck_assert_str_eq(again.name, config.name);
    ck_assert_mem_eq(again.xdim, config.xdim, sizeof config.xdim);
    ck_assert_int_eq(again.ksize, config.ksize);
    ck_assert_int_eq(again.cdim_count, config.cdim_count);
    ck_assert_mem_eq(again.cdims, config.cdims, sizeof(int) * (size_t)config.cdim_count);
    ck_assert_int_eq(again.hdim_count, config.hdim_count);
    ck_assert_mem_eq(again.hdims, config.hdims, sizeof(int) * (size_t)config.hdim_count);
    ck_assert_int_eq(again.ydim, config.ydim);
    ck_assert_int_eq(again.batchnorm, config.batchnorm);
    ck_assert_double_eq(again.dropout, config.dropout);
    free(json);
}
END_TEST

#define REST "\"hdims\":[],\"ydim\":10,\"batchnorm\":false,\"dropout\":0.5"
#define FRONT "{\"name\":\"cnn\",\"xdim\":[1,28,28],"

static const struct {
    const char *json, *part;
} bad_json[] = {
    {"", "file: expected a JSON object"},
    {"7", "file: expected a JSON object"},
    {FRONT "\"ksize\":12,\"cdims\":[]," REST "}",
     "'ksize': expected an integer of 1 to 11, found '12'"},
    {FRONT "\"ksize\":null,\"cdims\":[]," REST "}", "'ksize': expected an integer"},
    {FRONT "\"ksize\":{},\"cdims\":[]," REST "}", "'ksize': expected an integer"},
    {FRONT "\"ksize\":3,\"cdims\":[1,\"a\\nb\"]," REST "}", "'cdims': expected integers"},
    {FRONT "\"ksize\":3,\"cdims\":\"a\\nb\"," REST "}", "'cdims': expected integers"},
    {FRONT "\"ksize\":3,\"cdims\":[[1]]," REST "}", "'cdims': expected integers"},
    {FRONT "\"ksize\":3,\"ksize\":3,\"cdims\":[]," REST "}", "file: expected a JSON object"},
    {FRONT "\"ksize\":3,\"cdims\":[],\"stride\":2," REST "}", "'stride' is unknown"},
};

/* An option that is new must not make old files unreadable. */
START_TEST(a_missing_key_takes_its_default)
{
    config.ksize = 7;
    ck_assert_int_eq(cnn_config_from_json(&config, FRONT "\"hdims\":[]}", "file"), CNN_OK);
    ck_assert_int_eq(config.ksize, 3);
    ck_assert_int_eq(config.hdim_count, 0);
}
END_TEST

START_TEST(refuses_bad_json)
{
    ck_assert_int_eq(cnn_config_from_json(&config, bad_json[_i].json, "file"), CNN_ERROR_DATA);
    assert_message_has(bad_json[_i].part);
    ck_assert_int_eq(config.ydim, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, begin, NULL);
    tcase_add_loop_test(tests, takes_every_good_value, 0, (int)(sizeof good / sizeof good[0]));
    tcase_add_loop_test(tests, refuses_every_bad_value, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(tests, refuses_an_unknown_option);
    tcase_add_test(tests, takes_as_many_widths_as_there_is_room);
    tcase_add_test(tests, checks_a_struct_that_a_program_filled);
    tcase_add_loop_test(tests, survives_json, 0, 2);
    tcase_add_test(tests, a_missing_key_takes_its_default);
    tcase_add_loop_test(tests, refuses_bad_json, 0, (int)(sizeof bad_json / sizeof bad_json[0]));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
