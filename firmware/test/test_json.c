#include "test.h"
#include "unhidra/json.h"

static void writes(void) {
    char b[256];
    uh_json w;
    uh_json_begin(&w, b, sizeof b);
    uh_json_open(&w, NULL, '{');
    uh_json_text(&w, "text", "a \"b\" \\ \n \x01 \xC3\xA9");
    uh_json_open(&w, "list", '[');
    uh_json_int(&w, NULL, INT64_MIN);
    uh_json_uint(&w, NULL, UINT64_MAX);
    uh_json_scaled(&w, NULL, -5, 2);
    uh_json_scaled(&w, NULL, 214, 1);
    uh_json_scaled(&w, NULL, 0, 3);
    uh_json_close(&w, ']');
    uh_json_open(&w, "empty", '{');
    uh_json_close(&w, '}');
    uh_json_bool(&w, "yes", true);
    uh_json_base64(&w, "b", (const uint8_t *)"fo", 2);
    uh_json_close(&w, '}');
    CHECK(uh_json_end(&w) == UH_OK);
    const char *want = "{\"text\":\"a \\\"b\\\" \\\\ \\u000a \\u0001 \xC3\xA9\",\"list\":[-9223372036854775808,"
                       "18446744073709551615,-0.05,21.4,0.000],\"empty\":{},\"yes\":true,\"b\":\"Zm8=\"}";
    CHECK_TEXT(b, w.len, want);
    for (size_t cap = 0; cap < strlen(want); cap++) {
        b[cap] = '#';
        uh_json_begin(&w, b, cap);
        uh_json_open(&w, NULL, '{');
        uh_json_text(&w, "text", "a \"b\" \\ \n \x01 \xC3\xA9 and something that is longer than all that was there "
                                 "before: so it does not fit, whatever the length of the buffer is, up to that of it "
                                 "all, more or less, with all of its words");
        uh_json_close(&w, '}');
        CHECK(uh_json_end(&w) == UH_SPACE && b[cap] == '#');
    }
}

static void reads(void) {
    const char *text = "{ \"type\" : \"hello\", \"data\":{\"me\":{\"id\":\"dev_1\"},\"n\":[1, [2,3] ,{\"x\":\"]\"}],"
                       "\"t\":true,\"s\":\"\\u00e9\\ud83d\\ude00\\n\\\"\"}}";
    uh_slice o = uh_slice_of(text), v, k;
    char s[32];
    size_t n, at = 0;
    bool t;
    CHECK(uh_json_find(o, "type", &v) == UH_OK && uh_json_is(v, "hello"));
    CHECK(uh_json_find(o, "data.me.id", &v) == UH_OK && uh_json_is(v, "dev_1"));
    CHECK(uh_json_find(o, "data.me.no", &v) == UH_MISSING);
    CHECK(uh_json_find(o, "type.id", &v) == UH_SYNTAX);
    CHECK(uh_json_find(o, "data.t", &v) == UH_OK && uh_json_read_bool(v, &t) == UH_OK && t);
    CHECK(uh_json_find(o, "data.s", &v) == UH_OK && uh_json_plain(v, &k) == UH_SYNTAX);
    CHECK(uh_json_string(v, s, sizeof s, &n) == UH_OK);
    CHECK_TEXT(s, n, "\xC3\xA9\xF0\x9F\x98\x80\n\"");
    CHECK(uh_json_string(v, s, 8, &n) == UH_SPACE);
    CHECK(uh_json_find(o, "data.n", &v) == UH_OK);
    uh_slice list = v;
    CHECK(uh_json_item(list, &at, &v) == UH_OK && uh_slice_is(v, "1"));
    CHECK(uh_json_item(list, &at, &v) == UH_OK && uh_slice_is(v, "[2,3]"));
    CHECK(uh_json_item(list, &at, &v) == UH_OK && uh_slice_is(v, "{\"x\":\"]\"}"));
    CHECK(uh_json_item(list, &at, &v) == UH_END);
    at = 0;
    CHECK(uh_json_item(uh_slice_of("[]"), &at, &v) == UH_END);
    /* Of a frame that is cut off, what came before the cut can be read. */
    size_t whole = (size_t)(strstr(text, "},\"n\"") - text);
    for (size_t cut = 0; cut < strlen(text); cut++) {
        uh_status got = uh_json_find((uh_slice){text, cut}, "data.me.id", &v);
        CHECK(cut >= whole ? got == UH_OK && uh_json_is(v, "dev_1") : got != UH_OK);
    }
}

static void numbers(void) {
    uint64_t u;
    int64_t i;
    CHECK(uh_json_read_uint(uh_slice_of("18446744073709551615"), &u) == UH_OK && u == UINT64_MAX);
    static const char *const bad[] = {"", "-1", "01", "18446744073709551616", "1.0", "1e3", "\"1\""};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        CHECK(uh_json_read_uint(uh_slice_of(bad[k]), &u) == UH_SYNTAX);
    CHECK(uh_json_read_scaled(uh_slice_of("-21.45"), 1, &i) == UH_OK && i == -214);
    CHECK(uh_json_read_scaled(uh_slice_of("21"), 2, &i) == UH_OK && i == 2100);
    CHECK(uh_json_read_scaled(uh_slice_of("0.5"), 0, &i) == UH_OK && i == 0);
    static const char *const odd[] = {"", "-", ".5", "1e3", "1.2.3", "99999999999999999999", "922337203685477580"};
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++)
        CHECK(uh_json_read_scaled(uh_slice_of(odd[k]), 9, &i) == UH_SYNTAX);
}

static void refuses(void) {
    static const char *const bad[] = {"", "[]", "{\"a\"}", "{\"a\":}", "{\"a\":1 \"b\":2}", "{\"a\":[}", "{\"a\":\"x",
                                      "{a:1}", "{\"a\":[1}]}"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        uh_slice v;
        CHECK(uh_json_get(uh_slice_of(bad[k]), "b", &v) == UH_SYNTAX);
    }
    static const char *const strings[] = {
        "\"\\u12\"", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "1"};
    for (size_t k = 0; k < sizeof strings / sizeof *strings; k++) {
        char s[16];
        CHECK(uh_json_string(uh_slice_of(strings[k]), s, sizeof s, NULL) == UH_SYNTAX);
    }
    char deep[80] = "{\"a\":";
    memset(deep + 5, '[', 33);
    memset(deep + 38, ']', 33);
    strcpy(deep + 71, "}");
    uh_slice v;
    CHECK(uh_json_get(uh_slice_of(deep), "a", &v) == UH_SYNTAX);
}

void test_json(void) {
    writes();
    reads();
    numbers();
    refuses();
}
