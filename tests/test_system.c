/* What the doctor says of made-up machines: a folder stands for the root of /dev and /sys. nftw()
 * and setgroups() are no part of POSIX 2008's base. */
#define _GNU_SOURCE
#include <errno.h>
#include <ftw.h>
#include <grp.h>

#include "check_main.h"
#include "doctor/doctor.h"
#include "doctor/probe.h"
#include "scratch.h"

enum { OTHER_USER = 65534, NAMELESS_GROUP = 3999999, TEXT_SIZE = 1024 };

static scratch root;
static cnn_doctor *doctor;

/* A file with its folders. */
static void put(const char *name, const char *text)
{
    char path[sizeof root.path];
    strcpy(path, scratch_path(&root, name));
    for (char *slash = strchr(path + strlen(root.folder) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    scratch_write(&root, name, text, strlen(text));
}

static void put_card(const char *slot, const char *class, const char *vendor)
{
    char name[128];
    snprintf(name, sizeof name, "sys/bus/pci/devices/%s/class", slot);
    put(name, class);
    snprintf(name, sizeof name, "sys/bus/pci/devices/%s/vendor", slot);
    put(name, vendor);
}

static void begin(void)
{
    scratch_init(&root);
    ck_assert_int_eq(chmod(root.folder, 0755), 0); /* for another user, too */
    put("vendors/note", "");
    setenv("OCL_ICD_VENDORS", scratch_path(&root, "vendors"), 1);
    unsetenv("OCL_ICD_FILENAMES");
    doctor = calloc(1, sizeof *doctor);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static void end(void)
{
    enum { MOST_OPEN = 8 };
    ck_assert_int_eq(nftw(root.folder, remove_one, MOST_OPEN, FTW_DEPTH | FTW_PHYS), 0);
    cnn_doctor_destroy(doctor);
}

static void look(void)
{
    ck_assert_msg(cnn_doctor_look_at_hardware(doctor, root.folder) == CNN_OK, "%s",
                  cnn_error_message());
}

/* The one finding whose text has this part; a remedy of "" means that there is none. */
static void assert_found(cnn_finding_level level, const char *topic, const char *part,
                         const char *remedy)
{
    size_t count = 0;
    for (size_t i = 0; i < cnn_doctor_finding_count(doctor); i++) {
        cnn_finding found = cnn_doctor_get_finding(doctor, i);
        if (!strstr(found.text, part))
            continue;
        count++;
        ck_assert_str_eq(cnn_finding_level_name(found.level), cnn_finding_level_name(level));
        ck_assert_str_eq(found.topic, topic);
        if (*remedy)
            ck_assert_msg(strstr(found.remedy, remedy), "'%s' has no '%s'", found.remedy, remedy);
        else
            ck_assert_str_eq(found.remedy, "");
    }
    ck_assert_msg(count == 1, "%zu findings with '%s'", count, part);
}

START_TEST(nothing_at_all)
{
    look();
    ck_assert_uint_eq(cnn_doctor_finding_count(doctor), 1);
    assert_found(CNN_FINDING_NOTE, "hardware", "no GPU is seen: neither on the PCI bus nor in /dev",
                 "--gpus all");
}
END_TEST

START_TEST(what_is_no_card_is_passed_over)
{
    put_card("0000:00:00.0", "0x060000\n", "0x8086\n"); /* a bridge */
    put_card("0000:00:01.0", "0x030000\n", "0x1a03\n"); /* the display of a server's console */
    put_card("0000:00:0b.0", "0x120000\n", "0x8086\n"); /* an NPU */
    put("sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
    put("dev/nvidia-caps", "");
    look();
    ck_assert_uint_eq(cnn_doctor_finding_count(doctor), 1);
    assert_found(CNN_FINDING_NOTE, "hardware", "no GPU is seen", "--gpus all");
}
END_TEST

/* A card, the library of its driver, its node, and what mends the absence of one or the other. */
static const struct {
    const char *class, *vendor, *library, *node, *install, *load;
} cards[] = {
    {"0x030200", "0x10de", "libnvidia-opencl.so.1", "dev/nvidia0", "apt install nvidia-opencl-icd",
     "modprobe nvidia as root"},
    {"0x030000", "0x1002", "/opt/rocm/lib/libamdocl64.so", "dev/dri/renderD128",
     "apt install mesa-opencl-icd, or rocm-opencl-icd", "modprobe amdgpu as root"},
    {"0x120000", "0x1002", "libRusticlOpenCL.so.1", "dev/dri/renderD129",
     "apt install mesa-opencl-icd, or rocm-opencl-icd", "--device /dev/kfd"},
    {"0x038000", "0x8086", "/usr/lib/intel-opencl/libigdrcl.so", "dev/dri/renderD128",
     "apt install mesa-opencl-icd, or intel-opencl-icd", "modprobe i915"},
};
enum { CARDS = sizeof cards / sizeof cards[0] };

START_TEST(a_card_without_a_driver_names_the_package)
{
    put_card("0000:01:00.0", cards[_i].class, cards[_i].vendor);
    put("vendors/pocl.icd", "libpocl.so.2\n");
    look();
    ck_assert_uint_eq(cnn_doctor_finding_count(doctor), 1);
    assert_found(CNN_FINDING_PROBLEM, "hardware", "the card at 0000:01:00.0", cards[_i].install);
    assert_found(CNN_FINDING_PROBLEM, "hardware", "has no OpenCL driver", cards[_i].install);
}
END_TEST

START_TEST(a_card_without_a_node_names_the_module)
{
    put_card("0000:01:00.0", cards[_i].class, cards[_i].vendor);
    put("vendors/its.icd", cards[_i].library);
    put(_i == 0 ? "dev/dri/renderD128" : "dev/nvidia0", ""); /* another vendor's */
    put("dev/nvidia-uvm", "");
    look();
    assert_found(CNN_FINDING_PROBLEM, "hardware", "0000:01:00.0", cards[_i].load);
    assert_found(CNN_FINDING_PROBLEM, "hardware", "has no node /dev/", cards[_i].load);
}
END_TEST

START_TEST(a_card_with_both_is_good)
{
    put_card("0000:01:00.0", cards[_i].class, cards[_i].vendor);
    put("vendors/its.icd", cards[_i].library);
    put(cards[_i].node, "");
    put("dev/nvidia-uvm", "");
    look();
    assert_found(CNN_FINDING_GOOD, "hardware", "the card at 0000:01:00.0", "");
    assert_found(CNN_FINDING_GOOD, "permission", scratch_path(&root, cards[_i].node), "");
    assert_found(CNN_FINDING_GOOD, "permission", "/dev/nvidia-uvm can be read and written", "");
    ck_assert_uint_eq(cnn_doctor_finding_count(doctor), 3);
}
END_TEST

START_TEST(two_cards_are_told_apart)
{
    put_card("0000:00:02.0", "0x030000", "0x8086");
    put_card("0000:01:00.0", "0x030000", "0x10de");
    put("vendors/intel.icd", "libigdrcl.so\n");
    put("dev/dri/renderD128", "");
    look();
    assert_found(CNN_FINDING_GOOD, "hardware", "0000:00:02.0 (vendor 8086) has a driver", "");
    assert_found(CNN_FINDING_PROBLEM, "hardware", "0000:01:00.0 (vendor 10de) has no OpenCL driver",
                 "nvidia-opencl-icd");
}
END_TEST

START_TEST(a_card_of_nvidia_wants_the_node_of_its_memory)
{
    put("dev/nvidiactl", "");
    look();
    ck_assert_uint_eq(cnn_doctor_finding_count(doctor), 1); /* no card, no want */
    put("dev/nvidia0", "");
    look();
    assert_found(CNN_FINDING_NOTE, "hardware", "there is no /dev/nvidia-uvm",
                 "nvidia-modprobe -u -c=0 as root");
}
END_TEST

/* In a child, which gives up root's rights where it has them. */
static void look_as_another(FILE *out, const void *user)
{
    const char *node = user;
    if (geteuid() == 0 &&
        (setgroups(0, NULL) != 0 || setgid(OTHER_USER) != 0 || setuid(OTHER_USER) != 0))
        fprintf(out, "skip root's rights cannot be given up: %s\n", strerror(errno));
    else if (access(root.folder, R_OK | X_OK) != 0)
        fprintf(out, "skip %s cannot be reached: %s\n", root.folder, strerror(errno));
    else if (access(node, R_OK | W_OK) == 0)
        fprintf(out, "skip whatever the permissions, everybody may read and write here\n");
    else if (cnn_doctor_look_at_hardware(doctor, root.folder) != CNN_OK)
        fprintf(out, "failed: %s\n", cnn_error_message());
    else
        for (size_t i = 0; i < cnn_doctor_finding_count(doctor); i++) {
            cnn_finding found = cnn_doctor_get_finding(doctor, i);
            fprintf(out, "%s %s %s -> %s\n", cnn_finding_level_name(found.level), found.topic,
                    found.text, found.remedy);
        }
}

/* Of another group, which root alone can give, or with other rights. False: such a node cannot be
 * made here. */
static bool put_node(const char *name, mode_t mode, gid_t group)
{
    put(name, "");
    ck_assert_int_eq(chmod(scratch_path(&root, name), mode), 0);
    if (chown(scratch_path(&root, name), (uid_t)-1, group) == 0)
        return true;
    printf("skipped: %s cannot be of group %lu: %s\n", name, (unsigned long)group, strerror(errno));
    return false;
}

static void assert_refused(const char *name, const char *remedy)
{
    char expected[TEXT_SIZE];
    cnn_probe probe;
    int length = snprintf(expected, sizeof expected,
                          "problem permission %s cannot be read and written: Permission denied -> "
                          "%s\n",
                          scratch_path(&root, name), remedy);
    ck_assert_int_lt(length, sizeof expected);
    ck_assert_int_eq(cnn_probe_run(&probe, look_as_another, scratch_path(&root, name)), CNN_OK);
    ck_assert(probe.ended);
    if (strncmp(probe.text, "skip ", 5) == 0)
        printf("skipped: %s", probe.text + 5);
    else
        ck_assert_str_eq(probe.text, expected);
}

/* A group with a name that is not root's: for another user's own, its files keep the owner out. */
static const struct group *find_group(void)
{
    const struct group *found = getgrgid(getegid());
    if (geteuid() != 0)
        return found;
    setgrent();
    while ((found = getgrent()) != NULL && found->gr_gid == 0)
        ;
    return found;
}

START_TEST(a_node_without_permission_names_the_group_to_join)
{
    const struct group *group = find_group();
    char remedy[256];
    if (!group) {
        printf("skipped: there is no group with a name\n");
        return;
    }
    snprintf(remedy, sizeof remedy, "usermod -aG %s USER as root, and log in again",
             group->gr_name);
    if (put_node("dev/dri/renderD128", 0060, group->gr_gid))
        assert_refused("dev/dri/renderD128", remedy);
}
END_TEST

START_TEST(a_group_without_a_name_is_given_to_the_container)
{
    if (put_node("dev/kfd", 0060, NAMELESS_GROUP))
        assert_refused("dev/kfd", "the node's group has no name here: start the container with "
                                  "--group-add 3999999");
}
END_TEST

/* The group is of no use where it is root's, or is not let in. */
START_TEST(a_node_for_root_alone_is_opened)
{
    char remedy[TEXT_SIZE];
    snprintf(remedy, sizeof remedy, "chmod a+rw %s as root", scratch_path(&root, "dev/nvidia-uvm"));
    if (put_node("dev/nvidia-uvm", 0040, getegid()))
        assert_refused("dev/nvidia-uvm", remedy);
    if (geteuid() == 0 && put_node("dev/nvidia-uvm", 0660, 0))
        assert_refused("dev/nvidia-uvm", remedy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("system");
    TCase *tests = tcase_create("hardware");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, nothing_at_all);
    tcase_add_test(tests, what_is_no_card_is_passed_over);
    tcase_add_loop_test(tests, a_card_without_a_driver_names_the_package, 0, CARDS);
    tcase_add_loop_test(tests, a_card_without_a_node_names_the_module, 0, CARDS);
    tcase_add_loop_test(tests, a_card_with_both_is_good, 0, CARDS);
    tcase_add_test(tests, two_cards_are_told_apart);
    tcase_add_test(tests, a_card_of_nvidia_wants_the_node_of_its_memory);
    suite_add_tcase(suite, tests);
    tests = tcase_create("permissions");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_node_without_permission_names_the_group_to_join);
    tcase_add_test(tests, a_group_without_a_name_is_given_to_the_container);
    tcase_add_test(tests, a_node_for_root_alone_is_opened);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
