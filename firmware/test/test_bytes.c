#include "test.h"
#include "unhidra/bytes.h"

static void hex(const uint8_t *b, size_t n, char *out) {
    for (size_t i = 0; i < n; i++)
        sprintf(out + 2 * i, "%02x", b[i]);
}

static void hashes(void) {
    uint8_t h[UH_SHA1_SIZE];
    char text[2 * UH_SHA1_SIZE + 1];
    CHECK(uh_crc32(0, "123456789", 9) == 0xCBF43926);
    CHECK(uh_crc32(uh_crc32(0, "1234", 4), "56789", 5) == 0xCBF43926);
    CHECK(uh_crc32(0xFFFFFFFF, "\x01\0\0\0", 4) == 0x4743989A); /* of otadata, as ESP-IDF has it */
    uh_sha1("abc", 3, h); /* RFC 3174 */
    hex(h, sizeof h, text);
    CHECK_TEXT(text, strlen(text), "a9993e364706816aba3e25717850c26c9cd0d89d");
    uh_sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, h);
    hex(h, sizeof h, text);
    CHECK_TEXT(text, strlen(text), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

static void base64(void) {
    static const char *const vectors[][2] = {/* RFC 4648 */
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}};
    static const char *const bad[] = {"Zg=", "Zh==", "Zm9=", "Z===", "=Zg=", "Zg==Zg==", "Zm 9", "Zm~9"};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char out[16];
        uint8_t back[16];
        size_t n = strlen(vectors[i][0]), len;
        uh_base64((const uint8_t *)vectors[i][0], n, out);
        CHECK_TEXT(out, uh_base64_size(n), vectors[i][1]);
        CHECK(uh_base64_decode(out, uh_base64_size(n), back, n, &len) == UH_OK);
        CHECK_TEXT(back, len, vectors[i][0]);
        if (n > 0)
            CHECK(uh_base64_decode(out, uh_base64_size(n), back, n - 1, &len) == UH_SPACE);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t back[16];
        size_t len;
        CHECK(uh_base64_decode(bad[i], strlen(bad[i]), back, sizeof back, &len) == UH_SYNTAX);
    }
}

static void varints(void) {
    static const int64_t values[] = {0, -1, 1, 63, -64, 64, 300, -301, INT64_MAX, INT64_MIN};
    uint8_t b[64];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uh_sink s = {b, sizeof b, 0};
        size_t at = 0;
        int64_t back;
        uh_sink_zigzag(&s, values[i]);
        CHECK(uh_read_zigzag(b, s.len, &at, &back) == UH_OK && back == values[i] && at == s.len);
        at = 0;
        CHECK(uh_read_zigzag(b, s.len - 1, &at, &back) == UH_SYNTAX);
    }
    uh_sink little = {b, 2, 0};
    b[2] = 7;
    uh_sink_bytes(&little, "abc", 3);
    CHECK(little.len == 3 && b[2] == 7);
    static const uint8_t over[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2};
    size_t at = 0;
    uint64_t v;
    CHECK(uh_read_varint(over, sizeof over, &at, &v) == UH_SYNTAX);
}

void test_bytes(void) {
    hashes();
    base64();
    varints();
    CHECK_TEXT(uh_status_text(UH_REFUSED), strlen(uh_status_text(UH_REFUSED)), "the server refuses the device");
    char secret[] = "secret";
    uh_wipe(secret, sizeof secret);
    CHECK(secret[0] == 0 && secret[5] == 0);
}
