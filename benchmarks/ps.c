/* The loop that `benchmarks kernels` compares with: Poisson arrivals, exponential demands, one pod of CORES cores shared by all inside.
   The same loop as the compiled batches of the data plane: draws by request number, several at a time and before they are needed; virtual
   time; up to 32 bursts in order, more in a heap; rates by table; integrals and histogram by the bits. Logarithms are the C library's.
   Usage: ps REQUESTS RATE CORES; prints seconds of CPU, requests ended and the sum of their latencies. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GOLDEN 0x9E3779B97F4A7C15ULL
static const uint64_t ARRIVAL = 0xC414EE4622817A92ULL, CPU = 0xF5A8FA190CB314C9ULL, BASE = 0x543EBB6153E95A37ULL;

static inline uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}
static inline double unit(uint64_t key, uint64_t purpose) {
    return ((double)(mix((key ^ purpose) + GOLDEN) >> 12) + 0.5) * 0x1p-52;
}

typedef struct { double tag, arrived; } Burst;
static Burst heap[1 << 16];
static long histogram[4096];

enum { SORTED = 32, AHEAD = 128, RATES = 1 << 16 };
static long skipped, heaped;
static double rates[RATES];

static void push(long n, Burst x) {
    while (n > 0) {
        long up = (n - 1) >> 1;
        if (heap[up].tag <= x.tag) break;
        heap[n] = heap[up];
        n = up;
    }
    heap[n] = x;
}
static void insert(Burst *from, long n, Burst x) {
    while (n > 0 && from[n - 1].tag > x.tag) {
        from[n] = from[n - 1];
        n--;
    }
    from[n] = x;
}
static void lower(long n) {
    for (long i = 0; i < n; i++) heap[i] = heap[skipped + i];
    skipped = 0;
}
static void pop(long n) {
    Burst x = heap[--n];
    long i = 0;
    for (;;) {
        long down = 2 * i + 1;
        if (down >= n) break;
        if (down + 1 < n && heap[down + 1].tag < heap[down].tag) down++;
        if (x.tag <= heap[down].tag) break;
        heap[i] = heap[down];
        i = down;
    }
    heap[i] = x;
}
static void leave(long n) {
    if (!heaped) {
        skipped++;
        return;
    }
    pop(n);
    if (n == SORTED / 2) {
        for (long i = 1; i < n - 1; i++) insert(heap, i, heap[i]);
        heaped = 0;
    }
}
static void enter(long n, Burst x) {
    if (n >= SORTED || skipped >= SORTED) {
        lower(n);
        heaped = heaped || n >= SORTED;
    }
    if (heaped) push(n, x);
    else insert(heap + skipped, n, x);
}
static int bucket(double x) {
    if (x < 0x1p-17) return 0;
    if (x >= 0x1p15) return 4095;
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (int)((bits >> 45) - 128 * 1006);
}

/* The next arrivals and what they need. */
static double times[AHEAD], demands[AHEAD], area;
static void draw(long first, double rate) {
    static uint64_t keys[AHEAD];
    for (long j = 0; j < AHEAD; j++) keys[j] = mix(BASE + (uint64_t)(first + j + 1) * GOLDEN);
    for (long j = 0; j < AHEAD; j++) times[j] = unit(keys[j], ARRIVAL);
    for (long j = 0; j < AHEAD; j++) demands[j] = unit(keys[j], CPU);
    for (long j = 0; j < AHEAD; j++) times[j] = log(times[j]);
    for (long j = 0; j < AHEAD; j++) demands[j] = -log(demands[j]);
    for (long j = 0; j < AHEAD; j++) times[j] = area -= times[j];
    for (long j = 0; j < AHEAD; j++) times[j] = 2.0 * times[j] / (rate + sqrt(rate * rate));
}

int main(int argc, char **argv) {
    long requests = atol(argv[1]), k = 0, n = 0, ended = 0, rated = 1;
    double rate = atof(argv[2]), cores = atof(argv[3]), at = 0, v = 0, speed = 0, share = 0, ends = INFINITY;
    double request_s = 0, cpu_s = 0, latency = 0;
    clock_t begin = clock();
    draw(0, rate);
    double arrives = times[0];
    while (ended < requests) {
        double t = ends <= arrives ? ends : arrives, dt = t - at;
        request_s += dt * (double)n;
        v += dt * speed;
        cpu_s += dt * share;
        at = t;
        if (ends <= arrives) {
            Burst first = heap[skipped];
            v = first.tag > v ? first.tag : v;
            double span = t - first.arrived;
            leave(n--);
            latency += span;
            histogram[bucket(span)]++;
            ended++;
        } else {
            if (n == 0) v = 0;
            enter(n++, (Burst){v + demands[k % AHEAD], t});
            if (rated == n) {
                rates[rated] = ((double)rated < cores ? (double)rated : cores) / (double)rated;
                rated++;
            }
            if (++k % AHEAD == 0) draw(k, rate);
            arrives = times[k % AHEAD];
        }
        share = (double)n < cores ? (double)n : cores;
        speed = n ? rates[n] : 0;
        ends = n ? t + (heap[skipped].tag > v ? heap[skipped].tag - v : 0) / speed : INFINITY;
    }
    printf("%.9f %ld %.12g %g %g %ld\n", (double)(clock() - begin) / CLOCKS_PER_SEC, ended, latency, request_s, cpu_s, histogram[2048]);
    return 0;
}
