#include "cli/serve/gate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    BAD = 400,
    FORBIDDEN = 403,
    NAME_SIZE = 256,
    PORT_DIGITS = 5,
    HTTP_PORT = 80,
    HTTPS_PORT = 443,
    MOST_PORT = 65535,
    NO_PORT = -1
};

/* Who asked for which host. */
typedef enum match { REFUSED, OWN, NAMED /* by --host or --allow-host */ } match;

/* HOST[:PORT], taken apart. */
typedef struct authority {
    char name[NAME_SIZE];    /* as it was written, without brackets and zone */
    bool numeric;            /* then address is its value */
    struct in6_addr address; /* as cli_gate_address() has it */
    int port;                /* NO_PORT where none was given */
} authority;

static struct in6_addr mapped(const struct in_addr *four)
{
    struct in6_addr six = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(six.s6_addr + 12, four, sizeof *four);
    return six;
}

struct in6_addr cli_gate_address(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return mapped(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
}

static bool is_same(const struct in6_addr *one, const struct in6_addr *other)
{
    return memcmp(one, other, sizeof *one) == 0;
}

static bool is_any(const struct in6_addr *address)
{
    static const struct in_addr any;
    struct in6_addr four = mapped(&any);
    return IN6_IS_ADDR_UNSPECIFIED(address) || is_same(address, &four);
}

static bool is_loopback(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

void cli_gate_init(cli_gate *gate, const struct sockaddr *bound, const cli_options *options)
{
    gate->options = options;
    gate->address = cli_gate_address(bound);
    gate->all = is_any(&gate->address);
    gate->loopback = is_loopback(&gate->address);
}

/* A name, or an address of IPv4, or of IPv6 with its zone, without brackets. */
static bool parse_name(authority *to, const char *text, size_t size, bool six)
{
    struct in_addr four;
    size_t used = six ? strcspn(text, "%") : size;
    if (used > size)
        used = size;
    if (used == 0 || used >= NAME_SIZE)
        return false;
    memcpy(to->name, text, used);
    to->name[used] = '\0';
    if (six)
        return to->numeric = inet_pton(AF_INET6, to->name, &to->address) == 1;
    to->numeric = inet_pton(AF_INET, to->name, &four) == 1;
    if (to->numeric)
        to->address = mapped(&four);
    return strspn(to->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
           used;
}

/* What follows the name: nothing, or a colon and a number, which may be left out (RFC 3986). */
static bool parse_port(int *port, const char *text)
{
    *port = NO_PORT;
    if (text[0] == '\0')
        return true;
    size_t digits = strspn(text + 1, "0123456789");
    if (text[0] != ':' || text[1 + digits] != '\0' || digits > PORT_DIGITS)
        return false;
    if (digits > 0)
        *port = (int)strtol(text + 1, NULL, 10);
    return *port <= MOST_PORT;
}

static bool parse_authority(authority *to, const char *text)
{
    const char *end;
    memset(to, 0, sizeof *to);
    if (text[0] != '[') {
        size_t size = strcspn(text, ":");
        return parse_name(to, text, size, false) && parse_port(&to->port, text + size);
    }
    end = strchr(text, ']');
    return end && parse_name(to, text + 1, (size_t)(end - text - 1), true) &&
           parse_port(&to->port, end + 1);
}

/* One of a list: the brackets of IPv6 may be left out, as there is no port. */
static bool parse_item(authority *to, const char *text, size_t size)
{
    memset(to, 0, sizeof *to);
    if (size > 1 && text[0] == '[' && text[size - 1] == ']')
        return parse_name(to, text + 1, size - 2, true);
    return parse_name(to, text, size, memchr(text, ':', size) != NULL);
}

static bool fits(const authority *found, const authority *wanted)
{
    if (found->numeric && wanted->numeric)
        return is_same(&found->address, &wanted->address);
    return found->numeric == wanted->numeric && strcasecmp(found->name, wanted->name) == 0;
}

static bool is_in(const authority *found, const char *list)
{
    authority wanted;
    for (size_t size; list; list = list[size] ? list + size + 1 : NULL) {
        size = strcspn(list, ",");
        if (parse_item(&wanted, list, size) && fits(found, &wanted))
            return true;
    }
    return false;
}

bool cli_gate_takes_names(const char *list)
{
    authority wanted;
    for (size_t size; list; list = list[size] ? list + size + 1 : NULL) {
        size = strcspn(list, ",");
        if (!parse_item(&wanted, list, size))
            return false;
    }
    return true;
}

static match find_host(const cli_gate *gate, const authority *found)
{
    const cli_options *options = gate->options;
    for (int i = 0; i < options->allow_host_count; i++)
        if (is_in(found, options->allow_hosts[i]))
            return NAMED;
    if (found->numeric)
        return gate->all || is_same(&found->address, &gate->address) ? OWN : REFUSED;
    if (strcasecmp(found->name, "localhost") == 0 && (gate->loopback || gate->all))
        return OWN;
    return options->host && is_in(found, options->host) ? OWN : REFUSED;
}

/* Is the page at this origin one that the request's Host serves? Where a proxy that --allow-host
 * knows stands in front, it may speak https; this server itself does not. */
static bool is_own_page(const char *origin, const authority *host, match matched)
{
    static const struct {
        const char *scheme;
        int port;
        match least;
    } schemes[] = {{"http://", HTTP_PORT, OWN}, {"https://", HTTPS_PORT, NAMED}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        authority page;
        size_t size = strlen(schemes[i].scheme);
        if (strncasecmp(origin, schemes[i].scheme, size) != 0)
            continue;
        if (matched < schemes[i].least || !parse_authority(&page, origin + size))
            return false;
        int asked = host->port == NO_PORT ? schemes[i].port : host->port;
        return fits(&page, host) && asked == (page.port == NO_PORT ? schemes[i].port : page.port);
    }
    return false;
}

/* A browser says where a request comes from; "none" is a person. Other programs say nothing. */
static bool is_own_site(const char *site)
{
    return strcasecmp(site, "same-origin") == 0 || strcasecmp(site, "none") == 0;
}

void cli_gate_note(cli_head *head, const char *name, const char *value)
{
    const struct {
        const char *name;
        cli_field *field;
    } fields[] = {{"Host", &head->host},
                  {"Origin", &head->origin},
                  {"Sec-Fetch-Site", &head->site},
                  {"Content-Length", &head->length},
                  {"Transfer-Encoding", &head->coding}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcasecmp(name, fields[i].name) == 0) {
            fields[i].field->count++;
            fields[i].field->value = value ? value : "";
        }
    head->blank = head->blank || name[strcspn(name, " \t")] != '\0';
}

/* What may be read in two ways is read in none: RFC 9112, sections 3.2 and 6. */
static const char *find_fault(const cli_head *head, const char *version)
{
    const char *length = head->length.value, *coding = head->coding.value;
    if (head->blank)
        return "expected a colon behind each name of the request's header, found a blank";
    if (head->host.count > 1)
        return "expected one Host, found several";
    if (head->host.count == 0 && strcmp(version, "HTTP/1.0") != 0)
        return "expected a Host in the request's header, found none";
    if (head->length.count > 1)
        return "expected one Content-Length, found several";
    if (head->length.count > 0 && head->coding.count > 0)
        return "expected either Content-Length or Transfer-Encoding, found both";
    if (length && (length[0] == '\0' || length[strspn(length, "0123456789")] != '\0'))
        return "Content-Length: expected a number of bytes";
    if (head->coding.count > 1 || (coding && strcasecmp(coding, "chunked") != 0))
        return "Transfer-Encoding: expected chunked, and nothing else";
    if (head->origin.count > 1 || head->site.count > 1)
        return "expected one Origin and one Sec-Fetch-Site at most, found several";
    return NULL;
}

unsigned cli_gate_check(char message[CLI_GATE_MESSAGE], const cli_gate *gate, const cli_head *head,
                        const char *version, const char *method)
{
    authority host = {.port = NO_PORT};
    match matched = OWN; /* of a request without Host, which no browser sends */
    const char *fault = find_fault(head, version);
    if (fault) {
        snprintf(message, CLI_GATE_MESSAGE, "%s", fault);
        return BAD;
    }
    if (head->host.count > 0)
        matched = parse_authority(&host, head->host.value) ? find_host(gate, &host) : REFUSED;
    if (matched == REFUSED) {
        snprintf(message, CLI_GATE_MESSAGE,
                 "expected a Host that serve knows, found '%.100s': --allow-host adds names to the "
                 "address that it listens on",
                 head->host.value);
        return FORBIDDEN;
    }
    if (strcmp(method, "POST") != 0)
        return 0;
    if ((head->origin.count > 0 && !is_own_page(head->origin.value, &host, matched)) ||
        (head->site.count > 0 && !is_own_site(head->site.value))) {
        snprintf(message, CLI_GATE_MESSAGE,
                 "expected a request of this server's own page, or of a program, found one of a "
                 "page from elsewhere (Origin: %.100s)",
                 head->origin.count > 0 ? head->origin.value : "not told");
        return FORBIDDEN;
    }
    return 0;
}
