/* Images in a terminal. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

/* Prints an image (C, H, W) of values of 0 to 1 with half blocks, two rows of it a line: in colours
 * where stdout is a terminal, else black and white. Wide images are thinned. */
void cli_show_image(const float *values, const int shape[3]);

#endif
