/* Preloaded into a server by a test (clock.rs): its wall clock is the machine's plus the seconds in a file that
 * the test changes, and how often it is read is counted there. The monotonic clock is left alone, as it is when
 * somebody sets a machine's clock.
 *
 * libfaketime is not used, because a server with jemalloc hangs in it when it starts. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct clock {
  int64_t offset_s;
  int64_t reads;
};

static struct clock *shared;

__attribute__((constructor)) static void open_clock(void) {
  const char *path = getenv("MQ_TEST_CLOCK");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) abort();
  void *map = mmap(NULL, sizeof(struct clock), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (map == MAP_FAILED) abort();
  shared = map;
}

/* Other threads keep the machine's clock: that of jemalloc waits for moments of it, and would wait in vain, again and
 * again, for one that it took from ours. */
static int is_main_thread(void) { return syscall(SYS_gettid) == getpid(); }

int clock_gettime(clockid_t id, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, id, now);
  int is_wall_clock = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
  if (result == 0 && shared && is_wall_clock && is_main_thread()) {
    __atomic_add_fetch(&shared->reads, 1, __ATOMIC_RELAXED);
    now->tv_sec += __atomic_load_n(&shared->offset_s, __ATOMIC_RELAXED);
  }
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  int result = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return result;
}

time_t time(time_t *out) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (out) *out = exact.tv_sec;
  return exact.tv_sec;
}
