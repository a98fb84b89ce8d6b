/* BLAKE3 of a tensor and the extremes of its values, in one pass over the memory.
 *
 * Sixteen chunks of 1 KiB are hashed side by side, one in each 32-bit lane of a vector; before that, while they are
 * brought into the first cache, integer reductions run over them. Groups of chunks are shared out to the threads of the
 * OpenMP pool that computed the tensor: they are awake, which those of another pool would not be.
 *
 * Source: the BLAKE3 paper (O'Connor, Aumasson, Neves, Wilcox-O'Hearn 2020), sections 2.1 to 2.6.
 */
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define CHUNK 1024
#define BLOCK 64
#define CV 32    /* bytes of a chaining value */
#define LEVELS 6 /* of the tree that are hashed with the chunks */
#define GROUP (1 << LEVELS)
#define TOGETHER 4 /* groups whose levels are hashed together, so that the lanes are full */

enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8 };

typedef uint32_t vec __attribute__((vector_size(4 * LANES)));
typedef uint32_t loose_vec __attribute__((vector_size(4 * LANES), aligned(1), may_alias));

static const uint32_t IV[8] = {
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
};

/* Which message word each place of a round takes: the permutation of section 2.2, applied 0 to 6 times. */
static const uint8_t SCHEDULE[7][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
    {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1}, {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
    {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4}, {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
    {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

#define MERGE_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define MERGE_HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

/* Rows become columns: four times, every row is merged with the one half the matrix away. */
static inline __attribute__((always_inline)) void transpose(vec m[LANES]) {
    vec merged[LANES];
#pragma GCC unroll 4
    for (int step = 0; step < 4; step++) {
#pragma GCC unroll 8
        for (int i = 0; i < LANES / 2; i++) {
            merged[2 * i] = MERGE_LOW(m[i], m[i + LANES / 2]);
            merged[2 * i + 1] = MERGE_HIGH(m[i], m[i + LANES / 2]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) m[i] = merged[i];
    }
}

static inline vec all(uint32_t value) { return value - (vec){}; }

static inline vec rotated(vec x, int bits) { return (x >> bits) | (x << (32 - bits)); }

/* Half a quarter-round, in four columns (shift 0) or diagonals (shift 1) at once, step by step: they do not depend on
 * each other, and a step does on the one before it. The message is added before b, which comes last. */
#define EACH(step) _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) step;
#define B v[(i + shift) % 4 + 4]
#define C v[(i + 2 * shift) % 4 + 8]
#define D v[(i + 3 * shift) % 4 + 12]
static inline __attribute__((always_inline)) void half(vec v[16], const vec m[16], const uint8_t *schedule, int shift,
                                                       int turn_d, int turn_b) {
    EACH(v[i] += m[schedule[2 * i]])
    EACH(v[i] += B)
    EACH(D = rotated(D ^ v[i], turn_d))
    EACH(C += D)
    EACH(B = rotated(B ^ C, turn_b))
}

static inline __attribute__((always_inline)) void compress(vec h[8], const vec m[16], vec low, vec high, int length,
                                                           uint32_t flags) {
    vec v[16] = {h[0],       h[1],       h[2],       h[3],       h[4], h[5], h[6],        h[7],
                 all(IV[0]), all(IV[1]), all(IV[2]), all(IV[3]), low,  high, all(length), all(flags)};
#pragma GCC unroll 7
    for (int round = 0; round < 7; round++) {
        half(v, m, SCHEDULE[round], 0, 16, 12);
        half(v, m, SCHEDULE[round] + 1, 0, 8, 7);
        half(v, m, SCHEDULE[round] + 8, 1, 16, 12);
        half(v, m, SCHEDULE[round] + 9, 1, 8, 7);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) h[i] = v[i] ^ v[i + 8];
}

/* The chaining values of 1 to 16 chunks, numbered from `number` on, or parents, of as many blocks each; the last block
 * holds `last` bytes, `root` marks the top of the tree. Inlined, it would lack the 32 registers of state and message. */
static __attribute__((noinline, noclone)) void hash(const uint8_t *const *inputs, int count, int blocks, int last,
                                                    uint32_t parent, uint32_t root, uint64_t number, uint8_t *values) {
    vec h[8], low, high;
    for (int i = 0; i < 8; i++) h[i] = all(IV[i]);
    for (int i = 0; i < LANES; i++) {
        const uint64_t own = parent ? 0 : number + i;
        low[i] = (uint32_t)own;
        high[i] = (uint32_t)(own >> 32);
    }
    for (int block = 0; block < blocks; block++) {
        const int ends = block == blocks - 1;
        const uint32_t chunk_flags = (block ? 0 : CHUNK_START) | (ends ? CHUNK_END | root : 0);
        vec m[16];
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            const uint8_t *input = inputs[i < count ? i : 0] + block * BLOCK;
            m[i] = *(const loose_vec *)input;
            if (!parent) __builtin_prefetch(input + LANES * CHUNK); /* the chunks that are next */
        }
        transpose(m);
        compress(h, m, low, high, ends ? last : BLOCK, parent ? parent | root : chunk_flags);
    }
    for (int i = 0; i < count; i++)
        for (int word = 0; word < 8; word++) memcpy(values + CV * i + 4 * word, &(uint32_t){h[word][i]}, 4);
}

/* Hash chaining values in pairs, an odd one moving up as it is; return how many are left. */
static int64_t paired(uint8_t *values, int64_t count) {
    const int64_t pairs = count / 2;
    for (int64_t i = 0; i < pairs; i += LANES) {
        const int here = pairs - i < LANES ? (int)(pairs - i) : LANES;
        const uint8_t *inputs[LANES];
        for (int k = 0; k < here; k++) inputs[k] = values + (i + k) * 2 * CV;
        hash(inputs, here, 1, BLOCK, PARENT, 0, 0, values + i * CV);
    }
    if (count % 2) memcpy(values + pairs * CV, values + (count - 1) * CV, CV);
    return pairs + count % 2;
}

/* The extremes of values as unsigned and as signed integers. */
typedef struct {
    uint64_t least, greatest;
    int64_t lowest, highest;
} Range;

#define WIDEN(U, S)                                                                        \
    typedef U loose_##U __attribute__((aligned(1), may_alias));                            \
    static void widen_##U(const uint8_t *data, int64_t count, Range *range) {              \
        const loose_##U *values = (const loose_##U *)data;                                 \
        U least = (U)-1, greatest = 0;                                                     \
        S lowest = (S)(((U)-1) >> 1), highest = (S) ~lowest;                               \
        for (int64_t i = 0; i < count; i++) {                                              \
            const U bits = values[i];                                                      \
            const S number = (S)bits;                                                      \
            least = bits < least ? bits : least;                                           \
            greatest = bits > greatest ? bits : greatest;                                  \
            lowest = number < lowest ? number : lowest;                                    \
            highest = number > highest ? number : highest;                                 \
        }                                                                                  \
        if (least < range->least) range->least = least;                                    \
        if (greatest > range->greatest) range->greatest = greatest;                        \
        if (lowest < range->lowest) range->lowest = lowest;                                \
        if (highest > range->highest) range->highest = highest;                            \
    }
WIDEN(uint8_t, int8_t)
WIDEN(uint16_t, int16_t)
WIDEN(uint32_t, int32_t)
WIDEN(uint64_t, int64_t)

static void widen(const uint8_t *data, int64_t size, int item, Range *range) {
    if (item == 1) widen_uint8_t(data, size, range);
    if (item == 2) widen_uint16_t(data, size / 2, range);
    if (item == 4) widen_uint32_t(data, size / 4, range);
    if (item == 8) widen_uint64_t(data, size / 8, range);
}

/* What is hashed: a header of at most a chunk, and the values behind it. */
typedef struct {
    const uint8_t *header, *data;
    int64_t header_size, size, chunks;
    int item;
} Input;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* How many bytes of the data lie before a chunk, cut at the end of a value. */
static int64_t before(const Input *in, int64_t chunk) {
    const int64_t bytes = smaller(chunk * CHUNK - in->header_size, in->size), item = in->item ? in->item : 1;
    return bytes < 0 ? 0 : bytes / item * item;
}

/* A chunk that is not a part of the data: the first, with the header, and the last, if it is not full. */
static void edge_value(const Input *in, int64_t chunk, uint8_t *value) {
    uint8_t bytes[CHUNK] = {0};
    const uint8_t *input = bytes;
    const int64_t start = chunk * CHUNK - in->header_size, from = start < 0 ? 0 : start;
    const int64_t filled = smaller(in->header_size + in->size - chunk * CHUNK, CHUNK);
    if (chunk == 0) memcpy(bytes, in->header, in->header_size);
    if (in->size) memcpy(bytes + (from - start), in->data + from, filled - (from - start));
    const int blocks = filled ? (int)((filled + BLOCK - 1) / BLOCK) : 1;
    hash(&input, 1, blocks, (int)(filled - (blocks - 1) * BLOCK), 0, in->chunks == 1 ? ROOT : 0, chunk, value);
}

/* The chaining values of chunks `start` to `stop`, and the extremes of their values. */
static void chunk_values(const Input *in, int64_t start, int64_t stop, uint8_t *values, Range *range) {
    for (int64_t chunk = start; chunk < stop;) {
        const int64_t next = chunk + smaller(LANES, stop - chunk);
        const int64_t from = before(in, chunk);
        if (in->item) widen(in->data + from, before(in, next) - from, in->item, range);
        for (; chunk < next;) {
            uint8_t *value = values + (chunk - start) * CV;
            const uint8_t *inputs[LANES];
            int full = 0;
            while (chunk + full < next && chunk + full > 0 &&
                   (chunk + full + 1) * CHUNK <= in->header_size + in->size) {
                inputs[full] = in->data + (chunk + full) * CHUNK - in->header_size;
                full++;
            }
            if (full)
                hash(inputs, full, CHUNK / BLOCK, BLOCK, 0, 0, chunk, value);
            else
                edge_value(in, chunk, value);
            chunk += full ? full : 1;
        }
    }
}

/* Digest a tensor and find the extremes of its values.
 *
 * header_size: 1 to 1024. item: bytes of a value, of which extremes are found for 1, 2, 4 and 8; 0 for none.
 * Returns 0, or 1 where memory is wanting.
 */
int scan(const uint8_t *header, int64_t header_size, const uint8_t *data, int64_t size, int item, uint8_t *digest,
         Range *range) {
    const int64_t chunks = (header_size + size + CHUNK - 1) / CHUNK;
    const int64_t groups = (chunks + GROUP - 1) / GROUP;
    const Input in = {header, data, header_size, size, chunks, item};
    uint8_t *subtrees = malloc((groups + 1) * CV); /* of one group, two values are left */
    if (!subtrees) return 1;
    uint64_t least = UINT64_MAX, greatest = 0;
    int64_t lowest = INT64_MAX, highest = INT64_MIN, left = groups;
    /* A thread hashes the part that it computed, and that it will read for the next layer. */
#pragma omp parallel reduction(min : least, lowest) reduction(max : greatest, highest) if (groups > 1)
    {
        const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
        const int64_t end = groups * (thread + 1) / threads;
        Range found = {least, greatest, lowest, highest};
        for (int64_t group = groups * thread / threads; group < end; group += TOGETHER) {
            uint8_t values[TOGETHER * GROUP * CV];
            const int64_t start = group * GROUP, stop = smaller(smaller(group + TOGETHER, end) * GROUP, chunks);
            chunk_values(&in, start, stop, values, &found);
            int64_t count = stop - start;
            for (int level = 0; level < LEVELS && (groups > 1 || count > 2); level++) count = paired(values, count);
            memcpy(subtrees + group * CV, values, count * CV);
            if (groups == 1) left = count;
        }
        least = found.least, greatest = found.greatest, lowest = found.lowest, highest = found.highest;
    }
    while (left > 2) left = paired(subtrees, left);
    if (chunks == 1)
        memcpy(digest, subtrees, CV);
    else
        hash((const uint8_t *const[]){subtrees}, 1, 1, BLOCK, PARENT, ROOT, 0, digest);
    free(subtrees);
    *range = (Range){least, greatest, lowest, highest};
    return 0;
}
