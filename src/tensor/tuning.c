#include "tensor/tuning.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

/* The places of the names below. */
enum { GEMMK, KREG, KWG, KWI, MDIMA, MDIMC, MWG, NDIMB, NDIMC, NWG, SA, SB, STRM, STRN, VWM, VWN };
enum { KWID, MDIMAD, MDIMCD, NDIMBD, NDIMCD, PADA, PADB, VWMD, VWND, WGD };

const cnn_gemm_part_kind cnn_gemm_parts[CNN_GEMM_PARTS] = {
    {"Xgemm",
     16,
     {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB", "NDIMC", "NWG", "SA", "SB",
      "STRM", "STRN", "VWM", "VWN"}},
    {"XgemmDirect",
     10,
     {"KWID", "MDIMAD", "MDIMCD", "NDIMBD", "NDIMCD", "PADA", "PADB", "VWMD", "VWND", "WGD"}},
    {"GemmRoutine", 1, {"XGEMM_MIN_INDIRECT_SIZE"}},
};

/* For CPUs: one work-item per tile, no local memory, vectors of eight: what bench --tune found on
 * pocl (docs/benchmarks.md). */
static const cnn_gemm_tuning plain_for_cpus = {
    {true, true, true},
    {{0, 1, 32, 4, 1, 1, 16, 1, 1, 16, 0, 0, 0, 0, 8, 4}, {2, 1, 1, 1, 1, 0, 0, 4, 4, 16}, {1}}};

static const cnn_gemm_tuning plain_for_gpus = {
    {true, true, true},
    {{0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 1, 1, 0, 0, 4, 4}, {2, 8, 8, 8, 8, 1, 1, 2, 2, 32}, {384}}};

cnn_gemm_tuning cnn_gemm_plain_tuning(const cnn_device *device)
{
    return device->kernel_class == CNN_KERNEL_CPU ? plain_for_cpus : plain_for_gpus;
}

bool cnn_gemm_wants_small_groups(const cnn_device *device)
{
    enum { LARGEST = 256 };
    return device->info.max_work_group < LARGEST;
}

cnn_gemm_tuning cnn_gemm_default_tuning(const cnn_device *device)
{
    if (device->kernel_class != CNN_KERNEL_CPU)
        return cnn_gemm_wants_small_groups(device) ? plain_for_gpus
                                                   : (cnn_gemm_tuning){{false}, {{0}}};
    cnn_gemm_tuning tuning = plain_for_cpus;
    tuning.given[CNN_GEMM_DIRECT] = false; /* never called: the switch says so */
    return tuning;
}

/* `whole` is a multiple of a * b / by; -1 stands for 1. From CLBlast's tuners. */
typedef struct rule {
    int whole, a, b, by;
} rule;

static bool follows(const size_t *values, const rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const rule *at = &rules[i];
        size_t product = values[at->a] * (at->b < 0 ? 1 : values[at->b]);
        size_t by = at->by < 0 ? 1 : values[at->by];
        if (product == 0 || by == 0 || product % by != 0 || values[at->whole] == 0 ||
            values[at->whole] % (product / by) != 0)
            return false;
    }
    return true;
}

/* Kernel 1 reads no local memory, and CLBlast 1.5.3 computes wrong with it where MWG differs from
 * NWG. */
static bool indirect_is_legal(const size_t *v, const cnn_device *device)
{
    static const rule rules[] = {{KWG, KWI, -1, -1},        {MWG, MDIMC, VWM, -1},
                                 {NWG, NDIMC, VWN, -1},     {MWG, MDIMA, VWM, -1},
                                 {NWG, NDIMB, VWN, -1},     {KWG, MDIMC, NDIMC, MDIMA},
                                 {KWG, MDIMC, NDIMC, NDIMB}};
    size_t local = sizeof(float) * v[KWG] * (v[SA] * v[MWG] + v[SB] * v[NWG]);
    return v[GEMMK] <= 1 && v[KREG] > 0 && v[SA] <= 1 && v[SB] <= 1 && v[STRM] <= 1 &&
           v[STRN] <= 1 && (v[GEMMK] == 0 || (v[SA] == 0 && v[SB] == 0 && v[MWG] == v[NWG])) &&
           follows(v, rules, sizeof rules / sizeof rules[0]) &&
           v[MDIMC] * v[NDIMC] <= device->info.max_work_group && local <= device->info.local_memory;
}

static bool direct_is_legal(const size_t *v, const cnn_device *device)
{
    static const rule rules[] = {{WGD, KWID, -1, -1},          {WGD, MDIMCD, VWMD, -1},
                                 {WGD, NDIMCD, VWND, -1},      {WGD, MDIMAD, VWMD, -1},
                                 {WGD, NDIMBD, VWND, -1},      {WGD, MDIMCD, NDIMCD, MDIMAD},
                                 {WGD, MDIMCD, NDIMCD, NDIMBD}};
    size_t local = sizeof(float) * v[WGD] * (2 * v[WGD] + v[PADA] + v[PADB]);
    return v[PADA] <= 1 && v[PADB] <= 1 && follows(v, rules, sizeof rules / sizeof rules[0]) &&
           v[MDIMCD] * v[NDIMCD] <= device->info.max_work_group &&
           local <= device->info.local_memory;
}

/* No product of these overflows, and no kernel wants more. */
static bool are_small(const cnn_gemm_tuning *tuning)
{
    enum { MOST = 1 << 10, MOST_SWITCH = 1 << 20 };
    for (int part = 0; part < CNN_GEMM_PARTS; part++)
        for (int i = 0; tuning->given[part] && i < cnn_gemm_parts[part].count; i++)
            if (tuning->values[part][i] > (part == CNN_GEMM_SWITCH ? MOST_SWITCH : MOST))
                return false;
    return true;
}

bool cnn_gemm_tuning_is_legal(const cnn_gemm_tuning *tuning, const cnn_device *device)
{
    return are_small(tuning) &&
           (!tuning->given[CNN_GEMM_INDIRECT] ||
            indirect_is_legal(tuning->values[CNN_GEMM_INDIRECT], device)) &&
           (!tuning->given[CNN_GEMM_DIRECT] ||
            direct_is_legal(tuning->values[CNN_GEMM_DIRECT], device));
}

bool cnn_gemm_tunings_are_equal(const cnn_gemm_tuning *a, const cnn_gemm_tuning *b)
{
    for (int part = 0; part < CNN_GEMM_PARTS; part++) {
        size_t bytes = (size_t)cnn_gemm_parts[part].count * sizeof a->values[part][0];
        if (a->given[part] != b->given[part] ||
            (a->given[part] && memcmp(a->values[part], b->values[part], bytes) != 0))
            return false;
    }
    return true;
}

void cnn_gemm_tuning_give(cnn_gemm_tuning *tuning, cnn_gemm_part part, const size_t *values)
{
    tuning->given[part] = true;
    memcpy(tuning->values[part], values, (size_t)cnn_gemm_parts[part].count * sizeof *values);
}

int cnn_gemm_parameter(cnn_gemm_part part, const char *name)
{
    int i = 0;
    while (strcmp(cnn_gemm_parts[part].names[i], name) != 0)
        i++;
    return i;
}

const char *cnn_gemm_tuning_text(char buffer[CNN_GEMM_TUNING_TEXT], const cnn_gemm_tuning *tuning,
                                 cnn_gemm_part part)
{
    const cnn_gemm_part_kind *kind = &cnn_gemm_parts[part];
    size_t length = 0;
    if (!tuning->given[part])
        snprintf(buffer, CNN_GEMM_TUNING_TEXT, "CLBlast's own");
    for (int i = 0; tuning->given[part] && i < kind->count; i++)
        length += (size_t)snprintf(buffer + length, CNN_GEMM_TUNING_TEXT - length, "%s%s=%zu",
                                   i ? " " : "", kind->names[i], tuning->values[part][i]);
    return buffer;
}

const char *cnn_gemm_tuning_fingerprint(char buffer[CNN_GEMM_FINGERPRINT_SIZE],
                                        const cnn_gemm_tuning *tuning)
{
    char text[CNN_GEMM_PARTS * (CNN_GEMM_TUNING_TEXT + 16)], part_text[CNN_GEMM_TUNING_TEXT];
    size_t length = 0;
    for (int part = 0; part < CNN_GEMM_PARTS; part++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s %s\n",
                                   cnn_gemm_parts[part].kernel,
                                   cnn_gemm_tuning_text(part_text, tuning, (cnn_gemm_part)part));
    snprintf(buffer, CNN_GEMM_FINGERPRINT_SIZE, "%016" PRIx64, cnn_hash_text(text));
    return buffer;
}
