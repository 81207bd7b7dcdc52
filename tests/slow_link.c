/* slow_link MBIT MICROSECONDS NAME NAME...: carries IPv4 packets between TUN devices of these
 * names, which it makes with addresses of its caller's choice: the I-th NAME (from 1) gets what is
 * sent to any address that ends in I. A device sends at most MBIT million bits a second (0: no
 * limit), and each packet takes so many microseconds more. Prints "ready"; goes on until it is
 * ended. Root alone may make such devices, which may then be moved to other network namespaces: so
 * hosts with a link between them stand on one machine, also where its kernel has no netem
 * (scripts/bench_hosts.py). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS_MAX = 16, PACKET_MAX = 65536, IPV4_HEADER = 20, LAST_OF_DESTINATION = 19 };

struct packet {
    struct packet *next;
    int64_t due; /* nanoseconds */
    size_t size;
    unsigned char bytes[];
};

/* What a device has sent waits in the order it was sent, which is that of the times it is due. */
struct host {
    int tun;
    int64_t free_at;
    struct packet *first, **last;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "slow_link: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int open_tun(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int file = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        fail("/dev/net/tun");
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(file, TUNSETIFF, &request) < 0)
        fail(name);
    return file;
}

/* Everything that the device has to send now. */
static void take(struct host *host, double nanoseconds_per_byte, int64_t delay)
{
    static unsigned char buffer[PACKET_MAX];
    ssize_t size;
    while ((size = read(host->tun, buffer, sizeof buffer)) > 0) {
        struct packet *packet = malloc(sizeof *packet + (size_t)size);
        int64_t now = nanoseconds();
        if (!packet)
            fail("packet");
        host->free_at = (now > host->free_at ? now : host->free_at) +
                        (int64_t)((double)size * nanoseconds_per_byte);
        *packet = (struct packet){.due = host->free_at + delay, .size = (size_t)size};
        memcpy(packet->bytes, buffer, (size_t)size);
        *host->last = packet;
        host->last = &packet->next;
    }
}

/* What is due goes to its host (IPv6 and strangers nowhere); returns when the next is, or -1. */
static int64_t give(struct host *from, const struct host *hosts, int count)
{
    while (from->first && from->first->due <= nanoseconds()) {
        struct packet *packet = from->first;
        from->first = packet->next;
        if (!from->first)
            from->last = &from->first;
        int to = packet->size >= IPV4_HEADER && packet->bytes[0] >> 4 == 4
                     ? packet->bytes[LAST_OF_DESTINATION]
                     : 0;
        if (to >= 1 && to <= count && write(hosts[to - 1].tun, packet->bytes, packet->size) < 0 &&
            errno != EIO)
            fail("write"); /* EIO: the device is down still */
        free(packet);
    }
    return from->first ? from->first->due : -1;
}

int main(int argc, char **argv)
{
    struct host hosts[HOSTS_MAX];
    struct pollfd polled[HOSTS_MAX];
    int count = argc - 3;
    if (count < 2 || count > HOSTS_MAX) {
        fprintf(stderr, "slow_link: expected MBIT MICROSECONDS and 2 to %d NAMEs\n", HOSTS_MAX);
        return 2;
    }
    double rate = strtod(argv[1], NULL), per_byte = rate > 0.0 ? 8e3 / rate : 0.0;
    int64_t delay = (int64_t)(1e3 * strtod(argv[2], NULL));
    for (int i = 0; i < count; i++) {
        hosts[i] = (struct host){.tun = open_tun(argv[3 + i]), .last = NULL};
        hosts[i].last = &hosts[i].first;
        polled[i] = (struct pollfd){.fd = hosts[i].tun, .events = POLLIN};
    }
    prctl(PR_SET_TIMERSLACK, 1);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int64_t next = -1;
        for (int i = 0; i < count; i++) {
            int64_t due = give(&hosts[i], hosts, count);
            next = due >= 0 && (next < 0 || due < next) ? due : next;
        }
        int64_t wait = next - nanoseconds();
        wait = wait > 0 ? wait : 0;
        struct timespec time = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
        if (ppoll(polled, (nfds_t)count, next < 0 ? NULL : &time, NULL) < 0 && errno != EINTR)
            fail("ppoll");
        for (int i = 0; i < count; i++)
            take(&hosts[i], per_byte, delay);
    }
}
