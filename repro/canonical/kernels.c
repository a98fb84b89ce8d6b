/* Exact convolutions and matrix products of 21-bit integers by 16-bit multiplications.
 *
 * q = H * 2**10 + L with L in [-512, 511] and H in [-1024, 1024]. Three products instead of four (Karatsuba):
 * q q' = H H' 2**20 + ((L + H)(L' + H') - L L' - H H') 2**10 + L L'. The 32-bit sums wrap, and only their difference is
 * used: it and the other two stay within K * 2**20, so they are exact for K < 2048, after which they are added as
 * 64-bit integers. No float is rounded before the last line of a product, so blocking and threads change nothing.
 *
 * Layouts. Activations: [sample][row][column][channel pair][plane L, H, L + H][2], rows and columns padded with zeros.
 * Weights: [block of outputs][tap][channel pair][plane][output in the block][2].
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512BW__)
typedef __m512i vec;
#define LANES 16
#define VECTORS 1
#define POSITIONS 7 /* 21 sums in registers; image widths are multiples of 7 more often than of 8 */
#define LOAD(p) _mm512_loadu_si512(p)
#define STORE(p, v) _mm512_storeu_si512(p, v)
#define SPREAD(p) _mm512_set1_epi32(p)
#define ZERO _mm512_setzero_si512()
#if defined(__AVX512VNNI__)
#define DOT(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)
#else
#define DOT(sum, a, b) _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
#endif
#elif defined(__AVX2__)
typedef __m256i vec;
#define LANES 8
#define VECTORS 2
#define POSITIONS 2
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define SPREAD(p) _mm256_set1_epi32(p)
#define ZERO _mm256_setzero_si256()
#define DOT(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
#else /* SSE2: every x86-64 */
typedef __m128i vec;
#define LANES 4
#define VECTORS 2
#define POSITIONS 2
#define LOAD(p) _mm_loadu_si128((const __m128i *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(p), v)
#define SPREAD(p) _mm_set1_epi32(p)
#define ZERO _mm_setzero_si128()
#define DOT(sum, a, b) _mm_add_epi32(sum, _mm_madd_epi16(a, b))
#endif

#define BLOCK (VECTORS * LANES) /* outputs computed together */
#define PLANES 3
#define PAIR (2 * PLANES) /* int16 values of a channel pair at a place */
#define EXACT_PAIRS 1023 /* channel pairs whose 32-bit sums are exact */

int block_size(void) { return BLOCK; }
int positions_at_once(void) { return POSITIONS; }

static inline void split(int32_t q, int16_t *low, int16_t *high) {
    int32_t l = ((q + 512) & 1023) - 512;
    *low = (int16_t)l;
    *high = (int16_t)((q - l) >> 10);
}

/* The largest |x| of each group of `each` contiguous values; NaN where there is one. */
void largest(const float *x, int64_t groups, int64_t each, float *found) {
#pragma omp parallel for schedule(static)
    for (int64_t g = 0; g < groups; g++) {
        const uint32_t *bits = (const uint32_t *)(x + g * each);
        uint32_t top = 0; /* magnitudes order as their bits do, NaNs above infinity */
        for (int64_t i = 0; i < each; i++) {
            uint32_t magnitude = bits[i] & 0x7FFFFFFF;
            top = magnitude > top ? magnitude : top;
        }
        memcpy(found + g, &top, 4);
    }
}

/* Activations as planes: round-half-even(x * factor), `spread` places apart, inside padded rows and columns.
 * factor: one a sample, or one a column (per_column).
 */
void pack_activations(const float *x, int64_t samples, int64_t channels, int64_t height, int64_t width,
                      int64_t step_sample, int64_t step_channel, int64_t step_row, int64_t step_column,
                      const float *factor, int per_column, int64_t top, int64_t left, int64_t rows, int64_t columns,
                      int64_t spread, int16_t *packed) {
    int64_t pairs = (channels + 1) / 2, place = pairs * PAIR;
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t n = 0; n < samples; n++)
        for (int64_t row = 0; row < rows; row++) {
            int16_t *line = packed + (n * rows + row) * columns * place;
            memset(line, 0, (size_t)(columns * place) * sizeof(int16_t));
            int64_t from = row - top;
            if (from < 0 || from % spread || from / spread >= height) continue;
            const float *source = x + n * step_sample + from / spread * step_row;
            enum { PART = 16 };
            int32_t quantised[2][PART];
            for (int64_t start = 0; start < width; start += PART) {
                int64_t count = width - start < PART ? width - start : PART;
                for (int64_t pair = 0; pair < pairs; pair++) {
                    for (int half = 0; half < 2; half++) {
                        int64_t channel = 2 * pair + half;
                        if (channel >= channels) {
                            memset(quantised[half], 0, sizeof quantised[half]);
                            continue;
                        }
                        const float *values = source + channel * step_channel + start * step_column;
                        for (int64_t i = 0; i < count; i++) {
                            float scaled = values[i * step_column] * factor[per_column ? start + i : n];
                            quantised[half][i] = (int32_t)rintf(scaled);
                        }
                    }
                    int16_t *target = line + (left + start * spread) * place + pair * PAIR;
                    for (int64_t i = 0; i < count; i++, target += spread * place)
                        for (int half = 0; half < 2; half++) {
                            int16_t low, high;
                            split(quantised[half][i], &low, &high);
                            target[half] = low;
                            target[2 + half] = high;
                            target[4 + half] = (int16_t)(low + high);
                        }
                }
            }
        }
}

/* Weights as planes. q: integers (outputs, channels, taps) by steps, in float32; flipped: taps in reverse order. */
void pack_weights(const float *q, int64_t outputs, int64_t channels, int64_t taps, int64_t step_output,
                  int64_t step_channel, int64_t step_tap, int flipped, int16_t *packed) {
    int64_t pairs = (channels + 1) / 2, blocks = (outputs + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < blocks; block++) {
        int16_t *target = packed + block * taps * pairs * BLOCK * PAIR;
        memset(target, 0, (size_t)(taps * pairs * BLOCK * PAIR) * sizeof(int16_t));
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t channel = 0; channel < channels; channel++)
                for (int64_t o = 0; o < BLOCK && block * BLOCK + o < outputs; o++) {
                    int64_t seen = flipped ? taps - 1 - tap : tap;
                    int16_t low, high;
                    split((int32_t)q[(block * BLOCK + o) * step_output + channel * step_channel + seen * step_tap],
                          &low, &high);
                    int16_t *at = target + ((tap * pairs + channel / 2) * PLANES * BLOCK + o) * 2 + channel % 2;
                    at[0] = low;
                    at[2 * BLOCK] = high;
                    at[4 * BLOCK] = (int16_t)(low + high);
                }
    }
}

/* Add to total the products of POSITIONS places, `step` values apart, with one block of outputs. */
static void tile(const int16_t *x, int64_t step, const int64_t *offsets, int64_t taps, int64_t pairs, const int16_t *w,
                 int64_t total[POSITIONS][BLOCK]) {
    vec sum[PLANES][POSITIONS][VECTORS];
    int64_t tap = 0, pair = 0, budget;
    memset(total, 0, sizeof(int64_t) * POSITIONS * BLOCK);
    while (tap < taps) {
        for (int p = 0; p < PLANES; p++)
            for (int r = 0; r < POSITIONS; r++)
                for (int v = 0; v < VECTORS; v++) sum[p][r][v] = ZERO;
        for (budget = EXACT_PAIRS; budget > 0 && tap < taps;) {
            int64_t stop = pairs - pair < budget ? pairs : pair + budget;
            const int16_t *a = x + offsets[tap] + pair * PAIR;
            const int16_t *b = w + (tap * pairs + pair) * BLOCK * PAIR;
            budget -= stop - pair;
            for (; pair < stop; pair++, a += PAIR, b += BLOCK * PAIR) {
#pragma GCC unroll 3
                for (int p = 0; p < PLANES; p++) {
                    vec weights[VECTORS];
#pragma GCC unroll 2
                    for (int v = 0; v < VECTORS; v++) weights[v] = LOAD(b + (p * BLOCK + v * LANES) * 2);
#pragma GCC unroll 8
                    for (int r = 0; r < POSITIONS; r++) {
                        int32_t both;
                        memcpy(&both, a + r * step + 2 * p, 4);
                        vec value = SPREAD(both);
#pragma GCC unroll 2
                        for (int v = 0; v < VECTORS; v++) sum[p][r][v] = DOT(sum[p][r][v], value, weights[v]);
                    }
                }
            }
            if (pair == pairs) pair = 0, tap++;
        }
        for (int r = 0; r < POSITIONS; r++)
            for (int v = 0; v < VECTORS; v++) {
                int32_t low[LANES], high[LANES], both[LANES];
                STORE(low, sum[0][r][v]);
                STORE(high, sum[1][r][v]);
                STORE(both, sum[2][r][v]);
                for (int i = 0; i < LANES; i++) {
                    int64_t middle = both[i] - low[i] - high[i]; /* wraps to what it is */
                    total[r][v * LANES + i] += ((int64_t)high[i] << 20) + (middle << 10) + low[i];
                }
            }
    }
}

/* y = float32(float64(S) * (unit_x * unit_w) + bias) for all outputs.
 * unit_x: one a sample, or one a column (per_column). bias: NULL for none.
 * y is addressed by steps: a sample, an output channel, a row, a column.
 */
void convolve(const int16_t *x, int64_t samples, int64_t rows, int64_t columns, int64_t channels, const int16_t *w,
              int64_t outputs, const int64_t *offsets, int64_t taps, int64_t out_rows, int64_t out_columns,
              int64_t stride_row, int64_t stride_column, const double *unit_x, int per_column, const double *unit_w,
              const float *bias, float *y, int64_t step_sample, int64_t step_output, int64_t step_row,
              int64_t step_column) {
    int64_t pairs = (channels + 1) / 2, place = pairs * PAIR, blocks = (outputs + BLOCK - 1) / BLOCK;
    int64_t strips = per_column ? (out_columns + 63) / 64 : 1, width = per_column ? 64 : out_columns;
#pragma omp parallel for schedule(static) collapse(3)
    for (int64_t n = 0; n < samples; n++)
        for (int64_t block = 0; block < blocks; block++)
            for (int64_t part = 0; part < out_rows * strips; part++) {
                int64_t row = part / strips, first = part % strips * width;
                int64_t last = first + width < out_columns ? first + width : out_columns;
                const int16_t *line = x + (n * rows + row * stride_row) * columns * place;
                const int16_t *block_w = w + block * taps * pairs * BLOCK * PAIR;
                int64_t count = outputs - block * BLOCK < BLOCK ? outputs - block * BLOCK : BLOCK;
                float *target = y + n * step_sample + block * BLOCK * step_output + row * step_row;
                for (int64_t column = first; column < last; column += POSITIONS) {
                    int64_t total[POSITIONS][BLOCK];
                    tile(line + column * stride_column * place, stride_column * place, offsets, taps, pairs, block_w,
                         total);
                    for (int64_t r = 0; r < POSITIONS && column + r < last; r++) {
                        double unit = unit_x[per_column ? column + r : n];
                        float values[BLOCK];
                        if (bias)
                            for (int64_t o = 0; o < count; o++)
                                values[o] = (float)((double)total[r][o] * (unit * unit_w[block * BLOCK + o]) +
                                                    (double)bias[block * BLOCK + o]);
                        else
                            for (int64_t o = 0; o < count; o++)
                                values[o] = (float)((double)total[r][o] * (unit * unit_w[block * BLOCK + o]));
                        float *out = target + (column + r) * step_column;
                        for (int64_t o = 0; o < count; o++) out[o * step_output] = values[o];
                    }
                }
            }
}

/* y = float32(x * a + c) in float64, a and c by channel; x and y contiguous (outer, channels, inner). */
void affine(const float *x, const float *a, const float *c, int64_t outer, int64_t channels, int64_t inner, float *y) {
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t n = 0; n < outer; n++)
        for (int64_t channel = 0; channel < channels; channel++) {
            const float *from = x + (n * channels + channel) * inner;
            float *to = y + (n * channels + channel) * inner;
            double factor = a[channel], shift = c[channel];
            for (int64_t i = 0; i < inner; i++) to[i] = (float)((double)from[i] * factor + shift);
        }
}
