/* Zones around device memory: what is written to them is found, and where. */
#include "ocl/guard.h"
#include "on_device.h"
#include "support.h"

#include "check_main.h"

typedef struct zones {
    cnn_guards guards;
    cnn_buffer buffers[3];
} zones;

static const size_t sizes[3] = {64, 10, 4097}; /* whole words, and not */

static void open_zones(zones *at, bool front)
{
    static const char *const names[3] = {"first", "second", "third"};
    check_ok(cnn_guards_open(&at->guards, test_device(), front));
    for (int i = 0; i < 3; i++)
        check_ok(cnn_buffer_init(&at->buffers[i], test_device(), sizes[i], names[i]));
}

static void close_zones(zones *at)
{
    for (int i = 0; i < 3; i++)
        cnn_buffer_finish(&at->buffers[i]);
    ck_assert_ptr_null(at->guards.first);
    cnn_guards_close(&at->guards);
    ck_assert_ptr_null(test_device()->guards);
}

static bool is_damaged(zones *at, cnn_guard_damage *damage)
{
    bool damaged;
    check_ok(cnn_guards_check(&damaged, damage, &at->guards));
    return damaged;
}

/* Writes one byte at a place of the whole memory, zones counted. */
static void stray(const zones *at, int index, long long offset, unsigned char byte)
{
    for (const cnn_guarded *one = at->guards.first; one; one = one->next)
        if (one->inner == at->buffers[index].mem)
            ck_assert_int_eq(clEnqueueWriteBuffer(test_device()->queue, one->whole, CL_TRUE,
                                                  (size_t)((long long)one->front + offset), 1,
                                                  &byte, 0, NULL, NULL),
                             CL_SUCCESS);
}

START_TEST(memory_inside_is_zero_and_free_to_use)
{
    zones at;
    cnn_guard_damage damage;
    open_zones(&at, _i == 1);
    for (int i = 0; i < 3; i++) {
        unsigned char *bytes = scratch_bytes(sizes[i]);
        check_ok(cnn_buffer_read(bytes, &at.buffers[i], 0, sizes[i]));
        for (size_t j = 0; j < sizes[i]; j++)
            ck_assert_uint_eq(bytes[j], 0);
        check_ok(cnn_buffer_wipe(&at.buffers[i]));
    }
    ck_assert(!is_damaged(&at, &damage));
    close_zones(&at);
}
END_TEST

START_TEST(a_byte_behind_the_end_is_found_once)
{
    static const long long behind[] = {0, 1, 5, 4095};
    zones at;
    cnn_guard_damage damage;
    open_zones(&at, _i == 1);
    for (int i = 0; i < 3; i++)
        for (size_t j = 0; j < sizeof behind / sizeof behind[0]; j++) {
            long long offset = (long long)sizes[i] + behind[j];
            stray(&at, i, offset, 0x17);
            ck_assert(is_damaged(&at, &damage));
            ck_assert_int_eq(damage.offset, offset);
            ck_assert_uint_eq(damage.bytes, sizes[i]);
            ck_assert_str_eq(damage.what, i == 0 ? "first" : i == 1 ? "second" : "third");
            ck_assert(!is_damaged(&at, &damage)); /* it is whole again */
        }
    close_zones(&at);
}
END_TEST

START_TEST(a_byte_before_the_begin_is_found)
{
    zones at;
    cnn_guard_damage damage;
    open_zones(&at, true);
    for (int i = 0; i < 3; i++) {
        stray(&at, i, -1, 0x17);
        ck_assert(is_damaged(&at, &damage));
        ck_assert_int_eq(damage.offset, -1);
        stray(&at, i, -(long long)at.guards.front, 0x17);
        ck_assert(is_damaged(&at, &damage));
        ck_assert_int_eq(damage.offset, -(long long)at.guards.front);
    }
    ck_assert(!is_damaged(&at, &damage));
    close_zones(&at);
}
END_TEST

START_TEST(memory_without_zones_is_as_ever)
{
    cnn_buffer buffer;
    zones at;
    open_zones(&at, true);
    close_zones(&at);
    check_ok(cnn_buffer_init(&buffer, test_device(), 64, "plain"));
    size_t size = 0;
    clGetMemObjectInfo(buffer.mem, CL_MEM_SIZE, sizeof size, &size, NULL);
    ck_assert_uint_eq(size, 64);
    cnn_buffer_finish(&buffer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guard");
    TCase *tests = add_device_case(suite, "guard");
    tcase_add_loop_test(tests, memory_inside_is_zero_and_free_to_use, 0, 2);
    tcase_add_loop_test(tests, a_byte_behind_the_end_is_found_once, 0, 2);
    tcase_add_test(tests, a_byte_before_the_begin_is_found);
    tcase_add_test(tests, memory_without_zones_is_as_ever);
    return run_device_suite(suite);
}
