/* The places where a data set may be, and what is there. */
#ifndef DATA_PLACE_H
#define DATA_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/signature.h"
#include "data/listing.h"
#include "data/source.h"

/* Debian's package dataset-fashion-mnist. */
#define CNN_DEBIAN_FASHION_MNIST "/usr/share/datasets/fashion-mnist"

/* A file or folder to look into. */
typedef struct cnn_place {
    const char *path;
    bool named; /* by the user: then it must be there */
} cnn_place;

/* The first place that is there; one that is broken is an error. Errors: as
 * cnn_dataset_load(). */
cnn_status cnn_dataset_load_first(cnn_dataset **dataset, const cnn_place *places, size_t count,
                                  const cnn_data_options *options);

/* What a format looks at. */
typedef struct cnn_site {
    const char *path;
    enum { CNN_SITE_ABSENT, CNN_SITE_FILE, CNN_SITE_FOLDER } kind;
    cnn_listing listing; /* of a folder */
} cnn_site;

/* A format's way in: where the site is of it, its samples, else *taken is false. One that is of it
 * and broken is an error. */
typedef cnn_status (*cnn_format_open)(cnn_sources *sources, bool *taken, const cnn_site *site,
                                      const cnn_data_options *options);

cnn_status cnn_idx_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                        const cnn_data_options *options);
cnn_status cnn_cifar_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                          const cnn_data_options *options);
cnn_status cnn_npz_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                        const cnn_data_options *options);
cnn_status cnn_folders_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                            const cnn_data_options *options);
/* Are there folders of pictures? gifs: those that there are are GIF files. Errors: MEMORY. */
cnn_status cnn_folders_find(bool *found, bool *gifs, const cnn_site *site);
cnn_status cnn_csv_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                        const cnn_data_options *options);

/* Asks every format. Errors: theirs, FILE, MEMORY. */
cnn_status cnn_site_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                         const cnn_data_options *options);
/* Is it a folder of pictures, and of no format that is asked before? Errors: MEMORY. */
cnn_status cnn_site_has_pictures(bool *found, const cnn_site *site);
/* The first bytes of a regular file. Errors: FILE. */
cnn_status cnn_site_head(uint8_t head[CNN_SIGNATURE_BYTES], size_t *size, const char *path);
/* What is there instead, and what is wanted. Errors: always FILE or DATA, or MEMORY. */
cnn_status cnn_site_refuse(const cnn_site *site);

/* Puts the names of a folder's classes from its labels.txt, one name a line, in the place of
 * `names`; leaves those where the folder has no labels.txt (Debian's Fashion-MNIST gets its known
 * names). Errors: FILE, DATA (fewer names than class_count; a line that is empty or no UTF-8 text),
 * MEMORY; there are then no names. */
cnn_status cnn_labels_read(cnn_names *names, const char *folder, int class_count);

/* Where the data set can be found again from any working directory: cnn_dataset_source() as an
 * absolute path, "memory" for arrays. */
const char *cnn_dataset_home(const cnn_dataset *dataset);

#endif
