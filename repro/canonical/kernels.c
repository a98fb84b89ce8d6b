/* Exact convolutions and matrix products of 21-bit integers by 16-bit multiplications.
 *
 * q = H * 2**10 + L with L in [-512, 511] and H in [-1024, 1024]. Three products instead of four (Karatsuba):
 * q q' = H H' 2**20 + ((L + H)(L' + H') - L L' - H H') 2**10 + L L'. The 32-bit sums wrap, and only their difference is
 * used: it and the other two stay within K * 2**20, so they are exact for K < 2048, after which they are added as
 * 64-bit integers. No float is rounded before the last line of a product, so blocking and threads change nothing.
 *
 * Layouts. Activations: [sample][row][column][channel pair][plane L, H, L + H][2], rows and columns padded with zeros.
 * Weights: [block of outputs][tap][channel pair][plane][output in the block][2]; the last block is as wide as is needed.
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512BW__)
typedef __m512i vec;
#define LANES 16
#define VECTORS 4
#define POSITIONS 6 /* 24 sums in registers: ten loads for 24 products */
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
#define POSITIONS 4
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define SPREAD(p) _mm256_set1_epi32(p)
#define ZERO _mm256_setzero_si256()
#define DOT(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
#else /* SSE2: every x86-64 */
typedef __m128i vec;
#define LANES 4
#define VECTORS 2
#define POSITIONS 4
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
#define CHUNK 512 /* channel pairs whose weights stay in the second cache while a group of places meets them */
#define GROUP 96 /* places of a group; a multiple of every POSITIONS */
_Static_assert(CHUNK <= EXACT_PAIRS, "sums of a chunk are exact");

int lanes(void) { return LANES; } /* outputs are packed in multiples of it */

/* Two integers of a channel pair as one word of each plane: the even channel in the low half. */
static inline void split(int32_t even, int32_t odd, int32_t *low, int32_t *high, int32_t *both) {
    int32_t l0 = ((even + 512) & 1023) - 512, l1 = ((odd + 512) & 1023) - 512;
    int32_t h0 = (even - l0) >> 10, h1 = (odd - l1) >> 10;
    *low = (l0 & 0xFFFF) | (int32_t)((uint32_t)l1 << 16);
    *high = (h0 & 0xFFFF) | (int32_t)((uint32_t)h1 << 16);
    *both = ((l0 + h0) & 0xFFFF) | (int32_t)((uint32_t)(l1 + h1) << 16);
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
            int32_t quantised[2][PART] = {{0}};
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
                    int32_t planes[PLANES][PART];
                    for (int64_t i = 0; i < PART; i++)
                        split(quantised[0][i], quantised[1][i], planes[0] + i, planes[1] + i, planes[2] + i);
                    int16_t *target = line + (left + start * spread) * place + pair * PAIR;
                    for (int64_t i = 0; i < count; i++, target += spread * place)
                        for (int p = 0; p < PLANES; p++) memcpy(target + 2 * p, planes[p] + i, sizeof(int32_t));
                }
            }
        }
}

static inline int64_t vectors_of(int64_t outputs, int64_t block) {
    int64_t rest = outputs - block * BLOCK;
    return rest >= BLOCK ? VECTORS : (rest + LANES - 1) / LANES;
}

/* Weights (outputs, channels, taps) by steps as planes: round-half-even(w * factor), a factor per output.
 * flipped: taps in reverse order.
 */
void pack_weights(const float *w, int64_t outputs, int64_t channels, int64_t taps, int64_t step_output,
                  int64_t step_channel, int64_t step_tap, const float *factor, int flipped, int16_t *packed) {
    int64_t pairs = (channels + 1) / 2, blocks = (outputs + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t block = 0; block < blocks; block++)
        for (int64_t pair = 0; pair < pairs; pair++) {
            int64_t width = vectors_of(outputs, block) * LANES, first = block * BLOCK;
            int64_t count = outputs - first < width ? outputs - first : width;
            int16_t *target = packed + first * taps * pairs * PAIR;
            float values[2][BLOCK] = {{0}}, scale[BLOCK] = {0};
            memcpy(scale, factor + first, (size_t)count * sizeof(float));
            for (int64_t tap = 0; tap < taps; tap++) {
                int64_t seen = flipped ? taps - 1 - tap : tap;
                for (int64_t half = 0; half < 2 && 2 * pair + half < channels; half++) {
                    const float *from = w + first * step_output + (2 * pair + half) * step_channel + seen * step_tap;
                    for (int64_t o = 0; o < count; o++) values[half][o] = from[o * step_output];
                }
                int32_t planes[PLANES][BLOCK];
                for (int64_t o = 0; o < BLOCK; o++)
                    split((int32_t)rintf(values[0][o] * scale[o]), (int32_t)rintf(values[1][o] * scale[o]),
                          planes[0] + o, planes[1] + o, planes[2] + o);
                for (int p = 0; p < PLANES; p++)
                    memcpy(target + ((tap * pairs + pair) * PLANES + p) * width * 2, planes[p],
                           (size_t)width * sizeof(int32_t));
            }
        }
}

/* Add to total the products of POSITIONS places with some of a block's outputs, over at most EXACT_PAIRS of the
 * channel pairs that a place meets: those numbered first to last, in runs of `length` from each offset. vectors is a
 * constant to the compiler.
 */
static inline __attribute__((always_inline)) void tile(const int16_t *const at[POSITIONS], const int64_t *offsets,
                                                       int64_t first, int64_t last, int64_t length, const int16_t *w,
                                                       const int vectors, int64_t total[][BLOCK]) {
    int32_t found[PLANES][POSITIONS][BLOCK];
    for (int p = 0; p < PLANES; p++) {
        vec sum[POSITIONS][VECTORS];
        for (int r = 0; r < POSITIONS; r++)
            for (int v = 0; v < vectors; v++) sum[r][v] = ZERO;
        int64_t run = first / length, pair = first % length;
        for (int64_t k = first; k < last; run++, pair = 0) {
            int64_t stop = length - pair < last - k ? length : pair + last - k;
            const int16_t *b = w + (k * PLANES + p) * vectors * LANES * 2;
            int64_t place = offsets[run] + pair * PAIR + 2 * p, end = offsets[run] + stop * PAIR + 2 * p;
            k += stop - pair;
            for (; place < end; place += PAIR, b += vectors * LANES * PAIR) {
                vec weights[VECTORS];
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) weights[v] = LOAD(b + v * LANES * 2);
#pragma GCC unroll 8
                for (int r = 0; r < POSITIONS; r++) {
                    int32_t both;
                    memcpy(&both, at[r] + place, 4);
                    vec value = SPREAD(both);
#pragma GCC unroll 4
                    for (int v = 0; v < vectors; v++) sum[r][v] = DOT(sum[r][v], value, weights[v]);
                }
            }
        }
        for (int r = 0; r < POSITIONS; r++)
            for (int v = 0; v < vectors; v++) STORE(found[p][r] + v * LANES, sum[r][v]);
    }
    for (int r = 0; r < POSITIONS; r++)
        for (int i = 0; i < vectors * LANES; i++) {
            int32_t low = found[0][r][i], high = found[1][r][i];
            int32_t middle = found[2][r][i] - low - high; /* wraps to what it is */
            total[r][i] += ((int64_t)high << 20) + ((int64_t)middle << 10) + low;
        }
}

/* y = float32(float64(S) * (unit_x * unit_w) + bias) for all outputs.
 * offsets: where each run of `length` channel pairs lies from a place: a tap, or taps side by side.
 * unit_x: one a sample, or one a column (per_column). bias: NULL for none.
 * y is addressed by steps: a sample, an output channel, a row, a column.
 */
void convolve(const int16_t *x, int64_t samples, int64_t rows, int64_t columns, int64_t channels, const int16_t *w,
              int64_t outputs, const int64_t *offsets, int64_t runs, int64_t length, int64_t out_rows, int64_t out_columns,
              int64_t stride_row, int64_t stride_column, const double *unit_x, int per_column, const double *unit_w,
              const float *bias, float *y, int64_t step_sample, int64_t step_output, int64_t step_row,
              int64_t step_column) {
    int64_t place = (channels + 1) / 2 * PAIR, blocks = (outputs + BLOCK - 1) / BLOCK;
    int64_t places = samples * out_rows * out_columns, contracted = runs * length;
    int64_t groups = (places + GROUP - 1) / GROUP, tiles = (places + POSITIONS - 1) / POSITIONS;
    int64_t each = (tiles + groups - 1) / groups * POSITIONS; /* groups of nearly one size, within GROUP */
#pragma omp parallel for schedule(dynamic) collapse(2)
    for (int64_t block = 0; block < blocks; block++)
        for (int64_t group = 0; group < groups; group++) {
            int64_t start = group * each, size = places - start < each ? places - start : each;
            int64_t total[GROUP][BLOCK], to[GROUP], first = block * BLOCK;
            const int16_t *at[GROUP], *block_w = w + first * contracted * PAIR;
            double unit[GROUP];
            int64_t vectors = vectors_of(outputs, block), count = outputs - first < BLOCK ? outputs - first : BLOCK;
            if (size <= 0) continue;
            for (int64_t i = 0; i < each; i++) {
                int64_t seen = start + (i < size ? i : size - 1); /* a last tile goes over its last place again */
                int64_t column = seen % out_columns, row = seen / out_columns % out_rows;
                int64_t n = seen / out_columns / out_rows;
                at[i] = x + ((n * rows + row * stride_row) * columns + column * stride_column) * place;
                to[i] = n * step_sample + first * step_output + row * step_row + column * step_column;
                unit[i] = unit_x[per_column ? column : n];
            }
            memset(total, 0, (size_t)each * sizeof total[0]);
            for (int64_t k = 0; k < contracted; k += CHUNK) {
                int64_t stop = contracted - k < CHUNK ? contracted : k + CHUNK;
                for (int64_t i = 0; i < size; i += POSITIONS) switch (vectors) {
                        case 1: tile(at + i, offsets, k, stop, length, block_w, 1, total + i); break;
                        case 2: tile(at + i, offsets, k, stop, length, block_w, 2, total + i); break;
#if VECTORS > 2
                        case 3: tile(at + i, offsets, k, stop, length, block_w, 3, total + i); break;
                        case 4: tile(at + i, offsets, k, stop, length, block_w, 4, total + i); break;
#endif
                    }
            }
            for (int64_t i = 0; i < size; i++)
                for (int64_t o = 0; o < count; o++) {
                    double value = (double)total[i][o] * (unit[i] * unit_w[first + o]);
                    y[to[i] + o * step_output] = (float)(bias ? value + (double)bias[first + o] : value);
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

/* What is added by channel: float32 values, or products of two, which are exact in float64. */
static inline double term(const float *a, const float *b, int64_t i) { return b ? (double)a[i] * (double)b[i] : a[i]; }

static inline __attribute__((always_inline)) double channel_sum(const float *a, const float *b, int64_t outer,
                                                                int64_t step, int64_t inner, int bits) {
    uint64_t top = 0; /* magnitudes order as their bits do */
    for (int64_t n = 0; n < outer; n++)
        for (int64_t i = n * step; i < n * step + inner; i++) {
            const double value = term(a, b, i);
            uint64_t magnitude;
            memcpy(&magnitude, &value, 8);
            magnitude &= INT64_MAX;
            top = magnitude > top ? magnitude : top;
        }
    const int field = (int)(top >> 52), exponent = top ? field - 1022 : 0; /* 2**(e-1) <= largest < 2**e */
    if (field == 2047) return NAN;
    const double scale = ldexp(1.0, bits - exponent);
    double parts[LANES] = {0}, sum = 0; /* exact in any order, so in one that vectors can take */
    for (int64_t n = 0; n < outer; n++) {
        int64_t i = n * step;
        const int64_t stop = i + inner;
        for (; i + LANES <= stop; i += LANES)
            for (int k = 0; k < LANES; k++) parts[k] += rint(term(a, b, i + k) * scale);
        for (; i < stop; i++) sum += rint(term(a, b, i) * scale);
    }
    for (int k = 0; k < LANES; k++) sum += parts[k];
    return (sum + 0.0) * ldexp(1.0, exponent - bits);
}

/* Exact sums by channel of a, or of a * b, contiguous (outer, channels, inner): integers of `bits` bits on the grid of the
 * channel's largest magnitude, whose sums stay within 53; NaN where a value is not finite. */
void exact_sums(const float *a, const float *b, int64_t outer, int64_t channels, int64_t inner, int bits, double *sums) {
#pragma omp parallel for schedule(static)
    for (int64_t channel = 0; channel < channels; channel++) {
        const int64_t start = channel * inner, step = channels * inner;
        sums[channel] = b ? channel_sum(a + start, b + start, outer, step, inner, bits)
                          : channel_sum(a + start, NULL, outer, step, inner, bits);
    }
}

/* out = float32(((dy - s) - h * t)) * factor, the first in float64; s, t and factor by channel. */
void centred(const float *dy, const float *h, const float *s, const float *t, const float *factor, int64_t outer,
             int64_t channels, int64_t inner, float *out) {
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t n = 0; n < outer; n++)
        for (int64_t channel = 0; channel < channels; channel++) {
            const int64_t start = (n * channels + channel) * inner;
            const double mean_s = s[channel], mean_t = t[channel];
            for (int64_t i = start; i < start + inner; i++)
                out[i] = (float)(((double)dy[i] - mean_s) - (double)h[i] * mean_t) * factor[channel];
        }
}

/* IEEE's root of a float32 is the nearest; a NaN is the one NaN. */
void square_root(const float *x, int64_t count, float *out) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++) {
        const float root = sqrtf(x[i]);
        out[i] = root == root ? root : NAN;
    }
}

/* out = float32(x + value * float32(TERM)) in float64, element by element: what optimisers are made of. The product of two
 * float32 is exact in float64. */
#define CHAIN(name, TERM) \
    void name(const float *x, const float *a, const float *b, double value, int64_t count, float *out) { \
        _Pragma("omp parallel for schedule(static)") for (int64_t i = 0; i < count; i++) { \
            float term = TERM; \
            out[i] = (float)((double)x[i] + (double)term * value); \
        } \
    }
CHAIN(add_scaled, a[i])
CHAIN(add_product, a[i] * b[i])
CHAIN(add_quotient, a[i] / b[i])
CHAIN(add_difference, a[i] - b[i])
