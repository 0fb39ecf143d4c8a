#include "unhidra/setup.h"

#include <string.h>

#include "unhidra/json.h"

/* text reads a member; empty: it is not there. */
static uh_status text(uh_slice json, const char *name, char *out, size_t cap) {
    uh_slice v;
    size_t n;
    out[0] = '\0';
    uh_status got = uh_json_get(json, name, &v);
    if (got == UH_MISSING)
        return UH_OK;
    UH_TRY(got);
    UH_TRY(uh_json_string(v, out, cap, &n));
    return n > 0 && strlen(out) == n ? UH_OK : UH_INVALID;
}

bool uh_is_plain(const char *t) {
    if (*t == '\0')
        return false;
    for (; *t != '\0'; t++)
        if (*t <= ' ' || *t > '~')
            return false;
    return true;
}

static uh_status read_all(uh_slice json, uh_setup *s) {
    uh_slice v;
    UH_TRY(text(json, "ssid", s->ssid, sizeof s->ssid));
    if (s->ssid[0] != '\0' && uh_json_get(json, "password", &v) == UH_OK && !uh_slice_is(v, "\"\""))
        UH_TRY(text(json, "password", s->password, sizeof s->password));
    UH_TRY(text(json, "server", s->server, sizeof s->server));
    UH_TRY(text(json, "claim", s->token, sizeof s->token));
    UH_TRY(text(json, "ca", s->ca, sizeof s->ca));
    bool server = s->server[0] != '\0', token = s->token[0] != '\0';
    if (server != token || (!server && s->ssid[0] == '\0'))
        return UH_MISSING;
    return !server || (uh_is_plain(s->server) && uh_is_plain(s->token)) ? UH_OK : UH_INVALID;
}

uh_status uh_setup_read(uh_slice json, uh_setup *s) {
    memset(s, 0, sizeof *s);
    uh_status got = read_all(json, s);
    if (got != UH_OK)
        uh_wipe(s, sizeof *s);
    return got;
}

static uh_status save(const uh_store *store, const char *name, const char *value) {
    return value[0] != '\0' ? store->save(store->ctx, name, value, strlen(value)) : store->erase(store->ctx, name);
}

/* What comes last says that the rest is there: so after a power cut the device is set up, or waits to be. */
uh_status uh_setup_save(const uh_setup *s, const uh_store *store) {
    if (s->server[0] != '\0') {
        UH_TRY(store->erase(store->ctx, "server"));
        UH_TRY(store->erase(store->ctx, "key"));
        UH_TRY(store->erase(store->ctx, "nonce"));
        UH_TRY(save(store, "ca", s->ca));
        UH_TRY(save(store, "token", s->token));
        UH_TRY(save(store, "server", s->server));
    }
    if (s->ssid[0] != '\0') {
        UH_TRY(store->erase(store->ctx, "ssid"));
        UH_TRY(save(store, "password", s->password));
        UH_TRY(save(store, "ssid", s->ssid));
    }
    return UH_OK;
}

static uh_status load(const uh_store *store, const char *name, char *out, size_t cap) {
    size_t n = 0;
    uh_status got = store->load(store->ctx, name, out, cap - 1, &n);
    if (got == UH_MISSING)
        n = 0;
    else if (got != UH_OK)
        return got;
    out[n] = '\0';
    return UH_OK;
}

uh_status uh_setup_load(uh_setup *s, const uh_store *store) {
    UH_TRY(load(store, "ssid", s->ssid, sizeof s->ssid));
    UH_TRY(load(store, "password", s->password, sizeof s->password));
    UH_TRY(load(store, "server", s->server, sizeof s->server));
    UH_TRY(load(store, "token", s->token, sizeof s->token));
    return load(store, "ca", s->ca, sizeof s->ca);
}

uh_status uh_setup_forget(const uh_store *store) {
    static const char *const names[] = {"ssid", "server", "token", "password", "ca"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        UH_TRY(store->erase(store->ctx, names[i]));
    return UH_OK;
}

uh_status uh_parts_add(uh_parts *p, uh_slice came, uh_slice *whole) {
    char kind = came.n > 0 ? came.b[0] : '\0';
    bool first = kind == '[', follows = kind == '+' || kind == ']';
    if (!follows || !p->begun)
        uh_wipe(p, sizeof *p);
    *whole = came;
    if (!first && !follows)
        return UH_OK;
    if (follows && !p->begun)
        return UH_MISSING;
    if (came.n - 1 > sizeof p->text - p->n) {
        uh_wipe(p, sizeof *p);
        return UH_SPACE;
    }
    memcpy(p->text + p->n, came.b + 1, came.n - 1);
    p->n += came.n - 1;
    p->begun = kind != ']';
    *whole = (uh_slice){p->text, p->n};
    return p->begun ? UH_AGAIN : UH_OK;
}
